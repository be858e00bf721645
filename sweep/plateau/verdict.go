package plateau

// State is what a ladder's facts say: of the states below, in their order, the first that holds.
type State string

// The states of a verdict. Running marks a ladder that has none yet.
const (
	StateIncomplete     State = "incomplete"
	StateUnstable       State = "unstable"
	StateOverfit        State = "overfit"
	StatePlateau        State = "plateau"
	StateLikelyPlateau  State = "likely_plateau"
	StateMemoryLimited  State = "memory_limited"
	StateTimeLimited    State = "time_limited"
	StateOutraced       State = "outraced" // another cell of the grid is certainly better
	StateStillImproving State = "still_improving"
	StateInconclusive   State = "inconclusive"
	StateRunning        State = "running"
)

// Claims reports whether the state says of the incumbent that larger ranks do not pay.
func (s State) Claims() bool {
	return s == StatePlateau || s == StateLikelyPlateau || s == StateOverfit
}

// Certain reports whether that is shown, not only likely.
func (s State) Certain() bool { return s == StatePlateau || s == StateOverfit }

// StepDecision is what one rung showed against the incumbent.
type StepDecision string

// The decisions of the plateau rule.
const (
	DecisionBaseline   StepDecision = "baseline"
	DecisionImproved   StepDecision = "improved"
	DecisionWorse      StepDecision = "worse"
	DecisionFlat       StepDecision = "flat"
	DecisionUnresolved StepDecision = "unresolved"
	DecisionBeyond     StepDecision = "beyond" // past the point where the rule stopped: listed, not counted
)

// Interval is a mean with one-sided bounds at (1-confidence)/2 each. Bounds are nil where one seed and no noise_sd leave
// nothing to say.
type Interval struct {
	Mean float64  `json:"mean"`
	Lo   *float64 `json:"lo"`
	Hi   *float64 `json:"hi"`
}

// Comparison is what a rung showed against an incumbent.
type Comparison struct {
	Seeds       []int64      `json:"seeds"`               // common with the incumbent; the rung's own for the baseline
	Gain        *Interval    `json:"gain"`                // over Incumbent; nil for the baseline
	Incumbent   int          `json:"incumbent,omitempty"` // rank
	SD          float64      `json:"sd"`                  // s̃, the moderated standard deviation of one paired gain
	DF          *float64     `json:"df"`                  // ν; nil means infinite
	PairSD      *float64     `json:"pair_sd"`             // s, of this pair's own seeds; nil with one seed
	PriorSD     float64      `json:"prior_sd"`            // s₀, of the trend over the ladder's pairs; 0 where d₀ is 0
	PriorDF     *float64     `json:"prior_df"`            // d₀, the weight of the trend; nil means infinite
	Probability *float64     `json:"probability"`         // P(r): of a gain of at least min_gain over the incumbent
	Decision    StepDecision `json:"decision"`
}

// RungVerdict is one line of a verdict: the rung's loss and its latest comparison.
type RungVerdict struct {
	Rank    int      `json:"rank"`
	ValLoss Interval `json:"val_loss"` // over the grid's seeds, so that ranks compare
	Comparison
	// GridSeeds is how many of the grid's seeds a sparing climb asked for here; 0 where every rank has all.
	GridSeeds int `json:"grid_seeds,omitempty"`
	Count     int `json:"count"` // strikes when this rung was first judged, of patience
	// Earlier are the comparisons that drawn seeds or a new incumbent replaced, oldest first.
	Earlier []Comparison `json:"earlier,omitempty"`
	// Promoted says that the rung became the incumbent after it was passed: the plateau below it was not certain or likely enough
	// to stop at, though its gain is not certain either, or seeds that were drawn showed its gain (DecisionImproved).
	Promoted bool `json:"promoted,omitempty"`
	// WentOnWith is how many seeds a sparing climb went on from here with, on the chance of a worthwhile gain; 0 where it did not.
	WentOnWith int `json:"went_on_with,omitempty"`

	// Effect is what the rung did to the climb when it was first judged, and Judged the comparison that did it. Both are part of no JSON:
	// a verdict is computed anew wherever it is explained.
	Effect Effect     `json:"-"`
	Judged Comparison `json:"-"`
}

// Effect is what a rung did to the climb.
type Effect string

// The effects.
const (
	EffectBegins     Effect = "begins"      // the lowest rung is the first incumbent
	EffectClimbs     Effect = "climbs"      // it improved, and is the incumbent from there on
	EffectGoesOn     Effect = "goes_on"     // a gain of min_gain is likely enough for a sparing climb to make it the incumbent
	EffectStrike     Effect = "strike"      // such a gain is improbable: one more rung in a row
	EffectNoStrike   Effect = "no_strike"   // neither: the count starts again
	EffectWaits      Effect = "waits"       // it takes further seeds to tell
	EffectStopped    Effect = "stopped"     // the ladder had stopped before it
	EffectNotReached Effect = "not_reached" // the climb waited for seeds of lower rungs
)

// Draw is what the rule needs before it can go on: for each of the ranks a trial of each of the seeds.
type Draw struct {
	Ranks []int   `json:"ranks"`
	Seeds []int64 `json:"seeds"`
	Grid  bool    `json:"grid,omitempty"` // the seeds are the grid's (see SeedsPerRank), not extra ones
}

// Verdict is what Rule.Judge and a sweep say of a ladder.
type Verdict struct {
	State           State `json:"state"`
	RecommendedRank int   `json:"recommended_rank"` // 0 while no rung is complete
	// IncumbentRank is what the claim and the gains of Reason are about, where it is not the recommended rank; else 0. See Incumbent.
	IncumbentRank int `json:"incumbent_rank,omitempty"`
	// Choice says why the recommended rank is not the incumbent, and what that leaves open; nil where it is.
	Choice          *Finding `json:"choice,omitempty"`
	BestRank        int      `json:"best_rank"` // lowest mean
	EquivalentRanks []int    `json:"equivalent_ranks"`
	Probability     *float64 `json:"probability"` // of a likely plateau
	// SeedsToCertify is how many seeds per rank would turn a likely plateau into a plateau, or settle an unresolved last rank,
	// if gain and noise stay as they are; nil where the question does not arise or no number of seeds would do.
	SeedsToCertify *int `json:"seeds_to_certify"`
	// Next is the rank after the last one that counts, where climbing on is worth it or was cut short; its numbers are
	// extrapolated from what the rungs measured.
	Next *NextRung `json:"next"`
	// Draw is set while the rule waits for trials of further seeds: the ladder is not finished then, and the rest of the
	// verdict says how it stands without them.
	Draw    *Draw         `json:"draw,omitempty"`
	MinGain float64       `json:"min_gain"` // resolved to nats; 0 while no rung is complete
	Reason  Finding       `json:"reason"`
	Advice  []Finding     `json:"advice"`
	Flags   []string      `json:"flags"` // e.g. step_limited
	Rungs   []RungVerdict `json:"rungs"`
	// DivergedRanks ended worse than they started: their losses say nothing about rank.
	DivergedRanks []int `json:"diverged_ranks,omitempty"`
	// Race is how an outraced ladder was shown to be behind; nil of others.
	Race *Race `json:"race,omitempty"`
	// Screening is how the ranks to train were chosen; nil where a ladder is climbed from its lowest rank, or not screened yet.
	Screening *Screening `json:"screening,omitempty"`
}

// Incumbent is the rank that the climb compared with last: its claim, if any, says that no larger rank gains min_gain over this one.
func (v Verdict) Incumbent() int {
	if v.IncumbentRank > 0 {
		return v.IncumbentRank
	}
	return v.RecommendedRank
}

// Leads reports whether the recommended rank is one of those that are complete while the lowest, which all are compared with, is not:
// nothing is judged yet.
func (v Verdict) Leads() bool {
	return (v.State == StateRunning || v.State == StateTimeLimited) && v.RecommendedRank > 0 && len(v.Rungs) == 0
}

// NextRung is a rung that was not trained.
type NextRung struct {
	Rank           int      `json:"rank"`
	PredictedBytes *int64   `json:"predicted_bytes"` // peak of one trial
	TrainSeconds   *float64 `json:"train_seconds"`   // of one trial
	Seeds          int      `json:"seeds"`           // trials it takes
}

// Flags that a verdict may carry.
const (
	FlagBarelyTrained = "barely_trained" // no rank won min_gain over the loss before the first step: equal losses say nothing
	FlagStepLimited   = "step_limited"   // the validation loss still falls at the last step: more steps may change the answer
	FlagOverfitting   = "overfitting"    // the validation loss rose by min_gain after its best step, or likely strikes memorise
	FlagBeyond        = "better_beyond"  // a rank past the point where the rule stopped gains min_gain or more
	FlagScale         = "scale_varies"   // the update's scaling differs between the incumbent and the ranks that did not beat it
	FlagDiverged      = "diverged"       // training left some rank worse than before its first step: the learning rate is too high for it
	FlagOneSeed       = "one_seed"       // intervals rest on noise_sd, not on seeds
)
