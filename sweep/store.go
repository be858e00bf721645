package sweep

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Errors on which callers branch.
var (
	ErrNotFound = errors.New("not found")
	ErrLocked   = errors.New("another coordinator holds the sweep")
)

// Snapshot is everything Decide and the reports look at: one sweep's facts at one moment, in grid order.
type Snapshot struct {
	Sweep   Info
	Ladders []Ladder
	Seen    Seen
}

// Seen is where a store reads on from: see Store.Refresh.
type Seen struct {
	Attempt int64           // the last that was known
	Open    map[int64]int64 // those of them without an outcome, with the last event that was known
}

// Unchanged reports whether nothing is known of the ladder beyond what was known before: then both share their rungs. What a snapshot
// holds is never changed once it was read.
func (l Ladder) Unchanged(before Ladder) bool {
	return len(l.Rungs) > 0 && len(before.Rungs) > 0 && &l.Rungs[0] == &before.Rungs[0]
}

// Info is a sweep's own facts.
type Info struct {
	ID         int64
	Name       string
	GridText   string // the file as it was registered
	GridHash   string // of the parsed grid: comments and order of keys do not matter
	GridPath   string // absolute: relative names in the grid start from its folder
	Strategy   Strategy
	Race       bool // cells that certainly cannot reach the best one stop
	Rule       plateau.Rule
	Limits     Limits
	Seeds      []int64
	Backend    string // Trial.Backend; empty until the inputs are registered
	Platform   string
	PluginPath string
	Created    time.Time
	Elapsed    time.Duration // sum of the coordinators' sessions
	Tokens     int64         // that its attempts trained on: see Snapshot.CountTokens
	Warnings   []string      // from registration, repeated in every report
	Asked      Asked
}

// Confirm makes the rule draw extra seeds wherever a plateau is only likely, up to so many seeds per rank. Of several wishes
// the largest counts, and a grid that draws them anyway keeps its own limit where that is larger.
func (i *Info) Confirm(maxSeeds int) {
	if i.Rule.Confirm || i.Rule.Stop == plateau.StopCertified {
		maxSeeds = max(maxSeeds, i.Rule.SeedLimit(len(i.Seeds)))
	}
	i.Rule.Confirm, i.Rule.MaxSeeds = true, maxSeeds
}

// Limits bound a sweep. Zero means no limit.
type Limits struct {
	Memory    int64         // bytes, per trial
	Time      time.Duration // per sweep
	TrialTime time.Duration // per trial, over all its attempts
	Tokens    int64         // supervised ones that the sweep trains on
	Disk      int64         // bytes of the root
}

// Ladder is one cell with its rungs in ascending rank.
type Ladder struct {
	ID     int64
	Index  int // position in the grid's expansion, from 0
	Cell   Cell
	Model  trial.ModelInfo
	Corpus trial.CorpusInfo
	// Candidates are the combinations of the tuned axes' values, in grid order, TrialFacts.Candidate being the index. It is
	// empty where nothing is tuned; every trial is then of candidate 0.
	Candidates []Cell
	Rungs      []Rung
	// Scouts are trials that show every rank up to their own, of strategies that scout: see Strategy.Scouts.
	Scouts []TrialFacts
	// Reference trains the targets in full, once the ladder has ended: each learning rate (the candidate) over the sweep's seeds.
	Reference []TrialFacts
}

// Cell is one combination of every axis but rank and seed, as ordered name–value pairs: all settings that reports print,
// axes first. The alpha of a "2r" policy stays "2r" here; each trial's Spec has the number.
type Cell []Setting

// Setting is one named value of a cell.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Axis  bool   `json:"axis"` // it has more than one value in this grid
}

// Rung is one rank of a ladder.
type Rung struct {
	Rank int
	// Trials are one per candidate and seed: candidates in grid order, each over the seeds of the grid in their order and
	// then over its extra seeds, ascending.
	Trials []TrialFacts
}

// TrialFacts is a trial and all that is known about it.
type TrialFacts struct {
	Trial           trial.Brief
	Candidate       int              // index into Ladder.Candidates
	Extra           bool             // its seed is none of the grid's: it was drawn to certify a plateau
	Attempts        []AttemptFacts   // oldest first
	Evaluations     []StepLoss       // by step, the newest attempt's value where several have one
	Screened        []trial.Screened // by rank, the newest attempt's where several have one
	LastStep        int              // optimiser steps reported so far
	Tokens          int64            // supervised ones trained on so far, as far as was reported
	TrainableParams int64
	Prediction      *trial.Prediction // the latest
	Memory          trial.Memory      // maximum over the attempts
	Retried         int               // a person asked for fresh attempts after the one of this number; 0: nobody did
}

// StepLoss is what the evaluation after Step optimiser steps found.
type StepLoss struct {
	Step    int
	ValLoss float64
	trial.Measures
	Seconds float64 // that it took
}

// AttemptFacts is one launch and how it went.
type AttemptFacts struct {
	ID             trial.AttemptID
	Number         int
	Sweep          string // that launched it
	Intended       time.Time
	LastSeq        int64          // events stored
	LastAt         time.Time      // of the last event; zero when none
	CheckpointStep int            // latest checkpoint event's step, -1 when none
	MicroBatch     int            // trial.Assignment.MicroBatch
	Outcome        *trial.Outcome // nil while it may still run
}

// Final returns the outcome that ended the trial, or nil. What is done stays so, whatever becomes of a later attempt to screen
// its adapter.
func (t *TrialFacts) Final() *trial.Outcome {
	var final *trial.Outcome
	for i := range slices.Backward(t.Attempts) {
		switch o := t.Attempts[i].Outcome; {
		case o == nil || !o.State.EndsTrial():
		case o.State == trial.OutcomeDone:
			return o
		case final == nil:
			final = o
		}
	}
	return final
}

// Best is the evaluation at a done trial's best step; empty where it is not known.
func (t *TrialFacts) Best() StepLoss {
	o := t.Final()
	if o == nil || o.ValLoss == nil {
		return StepLoss{}
	}
	for _, e := range t.Evaluations {
		if e.Step == o.BestStep {
			return e
		}
	}
	return StepLoss{}
}

// ExtraTrial is a trial at a rank of a ladder that the grid does not name: of a seed that is none of the grid's, or a scout.
type ExtraTrial struct {
	Rank int
	PlannedTrial
}

// News are events of an attempt.
type News struct {
	Attempt trial.AttemptID
	Events  []trial.Event
}

// Store keeps facts. Every method is one transaction; appending what is already there changes nothing.
type Store interface {
	// Refresh brings a snapshot up to date: it sees every attempt and event, whoever wrote them, and reads the ladders with the indices
	// anew again because trials were added to them. The ladders of which nothing changed are those of s: see Ladder.Unchanged. Of a
	// snapshot without ladders it reads all. It fails with ErrNotFound.
	Refresh(ctx context.Context, s Snapshot, anew ...int) (Snapshot, error)
	// Asked reads what a person asked of a sweep, and nothing else: it is called every second. It fails with ErrNotFound.
	Asked(ctx context.Context, sweepID int64) (Asked, error)
	// Register writes a sweep's ladders and trials. Registering the same again changes nothing.
	Register(ctx context.Context, sweepID int64, r Registration) error
	// AddTrials writes trials of extra seeds to a ladder, after those of the grid, and scouts. The same again changes nothing. It fails
	// where the ladder has no such rung, or another trial at that place.
	AddTrials(ctx context.Context, ladder int64, trials []ExtraTrial) error
	// BeginAttempt writes the intent to launch. The same attempt again changes nothing.
	BeginAttempt(ctx context.Context, trial trial.ID, number int, a trial.Assignment, at time.Time) error
	// Append adds events of attempts, keyed by (attempt, seq).
	Append(ctx context.Context, news ...News) error
	// Heartbeat extends the coordinator's session, by the clock that it was started by, and says what the coordinator waits for before it
	// starts anything new: nothing where waits is empty. It fails with ErrLocked when the lease is another's.
	Heartbeat(ctx context.Context, session int64, now Instant, waits string) error
	// RecordVerdict appends a verdict unless it is equal to the ladder's latest. After a person wished something of the sweep it may be
	// appended again: what was found before does not count then.
	RecordVerdict(ctx context.Context, ladder int64, v plateau.Verdict, at time.Time) error
}
