package report

import (
	"cmp"
	"fmt"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/sweep/trial/cause"
)

// Report is a sweep's result.
type Report struct {
	Sweep          string         `json:"sweep"`
	Recommendation Recommendation `json:"recommendation"`
	Axes           []Axis         `json:"axes"` // empty in a report of one ladder
	Ladders        []Ladder       `json:"ladders"`
	Rule           Rule           `json:"rule"`
	Seeds          []int64        `json:"seeds"`
	Strategy       sweep.Strategy `json:"strategy,omitempty"` // absent: ladder
	Backend        string         `json:"backend"`
	Steps          *Steps         `json:"steps,omitempty"` // of all ladders; absent in a report of one
	Warnings       []string       `json:"warnings"`

	// Shell is how whoever reads the report as text, Markdown or a page reaches the sweep.
	Shell prose.Shell `json:"-"`
	// Left says that no coordinator works on the sweep.
	Left bool `json:"-"`
}

// Rule is what the verdicts were judged by.
type Rule struct {
	Patience    int              `json:"patience"`
	Confidence  float64          `json:"confidence"`
	Stop        plateau.StopMode `json:"stop"`
	NoiseSD     float64          `json:"noise_sd"`     // nats; used where a rung has one seed; 0 means 0.25 % of the lowest rank's loss
	NoiseSource string           `json:"noise_source"` // grid, sweep <name>, or default

	SeedsPerRank plateau.SeedsPerRank `json:"seeds_per_rank"` // needed, or all

	minGain plateau.MinGain
	seeds   int  // of the grid
	given   bool // a person gave noise_sd
}

// Recommendation is the one answer on top of a report.
type Recommendation struct {
	Summary  string        `json:"summary"`
	Final    bool          `json:"final"` // every ladder has a verdict
	Ladder   int           `json:"ladder"`
	Cell     Cell          `json:"cell"`
	Rank     *int          `json:"rank"` // nil while no rung is complete
	State    plateau.State `json:"state"`
	ValLoss  *float64      `json:"val_loss"` // mean over seeds, nats per token
	Cost     Cost          `json:"cost"`     // of one trial
	Larger   *Step         `json:"larger"`   // the next larger complete rung of the same ladder
	Smaller  *Step         `json:"smaller"`  // the next smaller one
	Cheapest *Equivalent   `json:"cheapest_equivalent"`
	Missing  []Missing     `json:"missing"`
	Serving  *lora.Serving `json:"serving"` // nil while no rung is complete

	over string // what ValLoss is over where that is fewer seeds than the grid's
}

// Cost is what one trial of a rung took: parameters exactly, the rest as measured.
type Cost struct {
	TrainableParams int64    `json:"trainable_params"`
	PeakHostBytes   *int64   `json:"peak_host_bytes"`   // largest over the seeds
	PeakDeviceBytes *int64   `json:"peak_device_bytes"` // largest over the seeds
	PredictedBytes  *int64   `json:"predicted_bytes"`   // what the trial with the largest peak was predicted to need
	TrainSeconds    *float64 `json:"train_seconds"`     // mean over the seeds
	EvalSeconds     *float64 `json:"eval_seconds,omitempty"`

	host, device, seconds spread
}

// peak is the device's where it can be told, else the host's.
func (c Cost) peak() *int64 { return cmp.Or(c.PeakDeviceBytes, c.PeakHostBytes) }

// peaks is the spread of what peak is the largest of.
func (c Cost) peaks() spread {
	if c.PeakDeviceBytes != nil {
		return c.device
	}
	return c.host
}

// Step is a neighbour of the recommended rung on its ladder.
type Step struct {
	Rank int              `json:"rank"`
	Gain plateau.Interval `json:"gain"` // of the larger rank over the smaller; no bounds below two shared seeds, where no rule gave any
	Cost Cost             `json:"cost"`

	shared int // seeds
}

// unbounded says why a gain has no interval; empty where it has.
func (s Step) unbounded() string {
	switch {
	case s.Gain.Lo != nil && s.Gain.Hi != nil:
		return ""
	case s.shared == 1:
		return " (the two share one seed only)"
	}
	return " (the two share no seed)"
}

// Equivalent is the complete rung with the fewest trainable parameters whose loss lies within min_gain of the
// recommended one's.
type Equivalent struct {
	Ladder  int              `json:"ladder"`
	Cell    Cell             `json:"cell"`
	Rank    int              `json:"rank"`
	ValLoss float64          `json:"val_loss"`
	Cost    Cost             `json:"cost"`
	Loss    plateau.Interval `json:"loss_increase"` // paired over the common seeds; Student bounds as the rule's
}

// Missing is a rung that still lacks trials.
type Missing struct {
	Ladder int     `json:"ladder"`
	Rank   int     `json:"rank"`
	Seeds  []int64 `json:"seeds"`
}

// Ladder is one cell with its verdict.
type Ladder struct {
	Number     int        `json:"number"` // from 1, as `sweep explain` takes it
	Cell       Cell       `json:"cell"`
	Conditions Conditions `json:"conditions"`
	Verdict    Verdict    `json:"verdict"`
	Rungs      []Rung     `json:"rungs"`       // those with at least one attempt or a screened loss, ascending
	NotStarted []int      `json:"not_started"` // ranks of the ladder without any attempt
	Reference  *Reference `json:"reference,omitempty"`
	Noise      *Noise     `json:"noise"` // nil where fewer than two ranks share two seeds
	// Metrics are absent where nothing but the loss was measured.
	Metrics []Metric `json:"metrics,omitempty"`

	id         int64 // in the database
	baseParams int64 // of the base model
	scouts     []Trial
	modules    []lora.Module
	corpus     string // losses compare only between ladders scored on the same tokens
	data       trial.CorpusInfo
}

// Conditions are what a verdict holds at: a plateau is one at these, not in general.
type Conditions struct {
	Alpha        string  `json:"alpha"`   // a number, or a policy such as 2r
	Scaling      string  `json:"scaling"` // alpha/r or alpha/sqrt(r)
	LearningRate float64 `json:"learning_rate"`
	Scheduler    string  `json:"lr_scheduler_type"`
	Steps        int     `json:"steps"`
	Epochs       float64 `json:"epochs,omitempty"` // how often each training row is seen; absent where their number is not known
	InitAdapter  string  `json:"init_adapter,omitempty"`
	// Tuned names the axes that are tuned at each rank: the settings are then those of the recommended one.
	Tuned  []string `json:"tuned,omitempty"`
	Tokens int64    `json:"tokens"` // supervised ones that a trial has trained on; 0 before the first is done

	untrained string // what to say where there are none
}

// Verdict is a plateau.Verdict without its rungs, whose numbers stand in Rung.
type Verdict struct {
	State           plateau.State `json:"state"`
	RecommendedRank *int          `json:"recommended_rank"`
	IncumbentRank   *int          `json:"incumbent_rank,omitempty"` // what claim and reason are about, where it is another rank
	BestRank        *int          `json:"best_rank"`
	EquivalentRanks []int         `json:"equivalent_ranks"`
	Probability     *float64      `json:"probability"`
	// per rank, of a likely plateau or an inconclusive ladder; nil where none would do
	SeedsToCertify *int              `json:"seeds_to_certify"`
	MinGain        *float64          `json:"min_gain"` // nats; nil while no rung is complete, for it may be a share of the first's loss
	Next           *plateau.NextRung `json:"next"`     // what climbing on would take
	Code           plateau.Code      `json:"code"`     // of the reason: see package plateau
	Reason         string            `json:"reason"`
	Choice         string            `json:"choice,omitempty"`      // why the recommended rank is not the incumbent, and what that leaves open
	ChoiceCode     plateau.Code      `json:"choice_code,omitempty"` // of Choice
	Screening      *Screening        `json:"screening,omitempty"`
	Outraced       *Outraced         `json:"outraced,omitempty"`
	Advice         []string          `json:"advice"`
	AdviceCodes    []plateau.Code    `json:"advice_codes"` // one for each of Advice
	Flags          []string          `json:"flags"`

	found plateau.Verdict
}

// incumbent is the rank that the claim is about; 0 where there is none.
func (v Verdict) incumbent() int {
	if rank := cmp.Or(v.IncumbentRank, v.RecommendedRank); rank != nil {
		return *rank
	}
	return 0
}

// over names the rank that a claim is about where it is not the recommended one.
func (v Verdict) over() string {
	if v.IncumbentRank == nil || !v.State.Claims() {
		return ""
	}
	return fmt.Sprintf(" over rank %d", *v.IncumbentRank)
}

// minGain is 0 where it is not known.
func (v Verdict) minGain() float64 {
	if v.MinGain == nil {
		return 0
	}
	return *v.MinGain
}

// Rung is one rank of a ladder. ValLoss, Gain and Decision are nil until the rung is judged, Gain also for the baseline; but
// ValLoss is there of a rank that is recommended while the lowest is not complete.
type Rung struct {
	Rank        int                   `json:"rank"`
	Alpha       float64               `json:"alpha"`
	Scaling     float64               `json:"scaling"`
	Tuned       Cell                  `json:"tuned"` // the chosen values of tuned axes; empty where none is tuned or chosen yet
	ValLoss     *plateau.Interval     `json:"val_loss"`
	Seeds       int                   `json:"seeds"` // of the grid's, how many have a loss
	Gain        *plateau.Interval     `json:"gain"`
	Decision    *plateau.StepDecision `json:"decision"`
	Incumbent   *int                  `json:"incumbent"`
	Probability *float64              `json:"probability"`
	Count       *int                  `json:"count"`
	Cost        Cost                  `json:"cost"`
	Diverged    bool                  `json:"diverged,omitempty"` // it ended worse than before its first step
	// Trials are those that stand for the rung: the chosen candidate's, or all while none is chosen. Its other candidates'
	// are in Candidates.
	Trials     []Trial     `json:"trials"`
	Candidates []Candidate `json:"candidates,omitempty"` // where axes are tuned: all, in grid order

	// ScreenedLoss is the mean loss of the screened rank's adapters truncated to this one. It is no training result: nothing is
	// claimed from it, and a rung that has nothing else was not trained.
	ScreenedLoss *plateau.Interval `json:"screened_loss,omitempty"`

	lora    lora.Spec // of its first trial
	judged  *plateau.RungVerdict
	edges   []sweep.Edge // of the chosen candidate
	started bool
	partial bool // fewer seeds than the grid's have a loss
}

// Candidate is one combination of the tuned axes' values at a rank.
type Candidate struct {
	Tuned   Cell     `json:"tuned"`
	Chosen  bool     `json:"chosen"`
	ValLoss *float64 `json:"val_loss"` // mean over the finished seeds of the grid
	Trials  []Trial  `json:"trials"`
}

// Trial is one seed of a rung. What is not known is nil.
type Trial struct {
	ID              trial.ID         `json:"id"`
	Seed            int64            `json:"seed"`
	Extra           bool             `json:"extra,omitempty"` // the seed is none of the grid's: it was drawn to certify
	State           sweep.TrialState `json:"state"`
	ValLoss         *float64         `json:"val_loss"`
	BestStep        *int             `json:"best_step"`
	TrainLoss       *float64         `json:"train_loss"`
	trial.Measures                   // at the best step
	Forgetting      *float64         `json:"forgetting,omitempty"` // how much higher retain_loss is than at step 0
	Tokens          *int64           `json:"tokens"`
	PeakHostBytes   *int64           `json:"peak_host_bytes"`
	PeakDeviceBytes *int64           `json:"peak_device_bytes"`
	PredictedBytes  *int64           `json:"predicted_bytes"`
	TrainSeconds    *float64         `json:"train_seconds"`
	EvalSeconds     *float64         `json:"eval_seconds,omitempty"` // of all its evaluations, where that is known
	TrainableParams *int64           `json:"trainable_params"`
	Error           string           `json:"error,omitempty"`
	Cause           cause.Cause      `json:"cause,omitempty"`       // why its last attempt ended, where it is not done
	MicroBatch      int              `json:"micro_batch,omitempty"` // sequences in a forward pass, where whole batches did not fit
}
