package trial

// Measures are what an evaluation may measure beside val_loss; nil where it was not measured, as in events from before it was.
//
// This file is the one list of them. A new one is a field here and a row of AllMeasures, a column of the table evaluations (a
// migration of package store, and its views), and what the trainer's score computes. Events, snapshots, reports, tables and CSV follow.
type Measures struct {
	RetainLoss    *float64 `json:"retain_loss,omitempty"`    // on data.retain; nil where the grid has none
	TokenAccuracy *float64 `json:"token_accuracy,omitempty"` // share of the supervised tokens that the model finds likeliest
	// share of the completions that greedy decoding writes; nil where no row has a prompt
	ExactMatch *float64 `json:"exact_match,omitempty"`
}

// Measure is one of the fields of Measures.
type Measure struct {
	Name     string // its key in JSON, its column in SQL and CSV
	Title    string // for people
	Meaning  string // what it is, as the rest of a sentence
	Judged   bool   // ranks are compared by it, to inform: val_loss alone decides
	Maximize bool   // higher is better
	Always   bool   // every evaluation has it
	Rate     bool   // a gain is a difference: the value at the lowest rank may well be zero

	field func(*Measures) **float64
}

// AllMeasures lists the measures in the order in which tables show them.
func AllMeasures() []Measure {
	return []Measure{
		{
			Name: "token_accuracy", Title: "token accuracy", Judged: true, Maximize: true, Always: true,
			Meaning: "the share of supervised validation tokens that the model finds likeliest",
			field:   func(m *Measures) **float64 { return &m.TokenAccuracy },
		},
		{
			Name: "exact_match", Title: "exact match", Judged: true, Maximize: true, Rate: true,
			Meaning: "the share of validation completions that greedy decoding writes token by token",
			field:   func(m *Measures) **float64 { return &m.ExactMatch },
		},
		{
			Name: "retain_loss", Title: "loss on data.retain", Meaning: "the loss on data.retain",
			field: func(m *Measures) **float64 { return &m.RetainLoss },
		},
	}
}

// Field is where the measure is kept.
func (x Measure) Field(m *Measures) **float64 { return x.field(m) }

// Of is the measure's value; nil where it was not measured.
func (x Measure) Of(m Measures) *float64 { return *x.field(&m) }
