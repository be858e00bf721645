package plateau

// Finding is one thing that a verdict says, as data: its code, and the numbers that its sentence names. Which fields a code sets
// stands beside it. The English sentences are made where a verdict is read, by package report/prose.
type Finding struct {
	Code   Code      `json:"code"`
	Ranks  []int     `json:"ranks,omitempty"`
	Over   int       `json:"over,omitempty"`   // the rank that Ranks are compared with
	Values []float64 `json:"values,omitempty"` // one for each of Ranks
	Gain   *Interval `json:"gain,omitempty"`
	Value  float64   `json:"value,omitempty"`
	Limit  float64   `json:"limit,omitempty"` // of the grid: bytes, or seconds
	Count  int       `json:"count,omitempty"`
	Of     int       `json:"of,omitempty"`
	Seeds  []int64   `json:"seeds,omitempty"`
	Name   string    `json:"name,omitempty"`
	Side   string    `json:"side,omitempty"` // of a list: smallest or largest
	Trials []Failure `json:"trials,omitempty"`
	Then   *Finding  `json:"then,omitempty"` // what the ranks up to Over say by themselves; Value is a likely plateau's probability
}

// Failure is a trial that ended without a loss.
type Failure struct {
	Trial   string `json:"trial,omitempty"` // id
	Rank    int    `json:"rank,omitempty"`
	Seed    int64  `json:"seed"`
	Tuned   string `json:"tuned,omitempty"` // the candidate's values of tuned axes
	Step    int    `json:"step,omitempty"`
	Crashes int    `json:"crashes,omitempty"` // in a row, without getting further
	Error   string `json:"error,omitempty"`
}

// Code names a finding.
type Code string

// Reasons: why the state is what it is. The first group is the rule's; the others end a ladder in its place, and say in Then what
// the rule says up to rank Over.
const (
	ReasonPlateau Code = "plateau" // Ranks gain less than min_gain over Over: upper bounds Values at confidence Value
	// ReasonLikelyPlateau: Ranks probably gain less over Over: chances Values; Count of Of strikes where the ranks ended first.
	ReasonLikelyPlateau  Code = "likely_plateau"
	ReasonOverfit        Code = "overfit"          // Ranks are worse than Over, by gains Values, while the training loss falls
	ReasonStillImproving Code = "still_improving"  // the last of the Ranks gains Gain over Over
	ReasonOneRank        Code = "one_rank"         // Ranks has one
	ReasonNothingShared  Code = "no_common_seed"   // Ranks and Over share no seed
	ReasonFewStrikes     Code = "few_strikes"      // Ranks probably gain less over Over, but are Count of Of; plateau probability Value
	ReasonEarlierOpen    Code = "earlier_may_gain" // Ranks gain nothing over Over, but earlier ones may; plateau probability Value
	// ReasonNotLikely: the climb stopped as Ranks seem to gain less over Over, but the probability is Value, not Limit.
	ReasonNotLikely Code = "not_likely_enough"
	ReasonOpen      Code = "unresolved" // Ranks gain Gain over Over: that settles nothing

	ReasonRunning   Code = "running"             // Count of Of trials of Ranks finished; Trials are the others
	ReasonDrawing   Code = "running_extra_seeds" // Count of Of trials of extra seeds of Ranks finished; Name is their use
	ReasonScreening Code = "running_screen"      // Count of Of trials of Ranks finished, to be truncated to every lower rank
	ReasonStopping  Code = "stopping"            // limits.time ran out: running trials write their checkpoints
	// ReasonStoppingTokens is ReasonStopping for limits.tokens.
	ReasonStoppingTokens Code = "stopping_tokens"
	// ReasonHeld: Ranks are finished, or where there is none the scout; what comes next waits for the other cells of the race.
	ReasonHeld Code = "running_race"

	// ReasonOutraced: ladder Count, named Name, is ahead by Values at Ranks, and by Gain at rank Of if this one goes on catching up;
	// at confidence Value.
	ReasonOutraced Code = "outraced"
	// ReasonOutscouted: the scouts show ladder Count, named Name, ahead by Values: at the second of Ranks, its largest, over this one at the
	// first, its best. By Gain once the scout's error is allowed for, and the noise Limit of a run; at confidence Value.
	ReasonOutscouted Code = "outraced_by_scouts"

	ReasonFailed   Code = "failed"     // Count of Of trials failed: Trials
	ReasonUnstable Code = "not_finite" // Count of Of trials of Ranks stopped on NaN: Trials
	// ReasonDiverged: training left Ranks at losses Values, from Value before the first step; the vocabulary has Count tokens.
	ReasonDiverged  Code = "diverged"
	ReasonMemory    Code = "memory"        // Ranks need more than limits.memory, Limit bytes, or, where that is 0, than the machine has
	ReasonScouting  Code = "running_scout" // Count of Of trials of Ranks finished, to show every lower rank too
	ReasonScouted   Code = "scouted"       // Ranks is where the curve of one run flattens
	ReasonTrialTime Code = "trial_time"    // a trial of Ranks takes longer than limits.trial_time, Limit seconds
	ReasonTime      Code = "time"          // limits.time, Limit seconds, ran out before Ranks were complete
	ReasonTokens    Code = "tokens"        // limits.tokens, Limit, ran out before Ranks were complete
)

// Choices: why Ranks, which has one, is recommended in place of the incumbent. Gain is the larger rank's over the smaller, nil where they
// share no seed.
const (
	ChoiceBetter Code = "better_than_incumbent" // its mean is better than that of Over, the incumbent, which is larger and the plateau's
	ChoiceBest   Code = "best_mean"             // it has the best mean; Over is the incumbent
	ChoiceEnough Code = "within_min_gain"       // the smallest whose mean is within min_gain of the best one's, of rank Over
)

// Advice: what to do about it.
const (
	AdviseRank        Code = "use_rank"           // use rank Over: Ranks buy nothing
	AdviseRankOrLower Code = "use_rank_or_lower"  // use rank Over or lower, more dropout, fewer steps or more data
	AdviseLargerRanks Code = "add_larger_ranks"   // the ladder ends before the plateau
	AdviseRanks       Code = "add_ranks"          // one rank shows nothing
	AdviseSeeds       Code = "more_seeds"         // Count seeds per rank would settle it, or, where Of is set, the ranks tried
	AdviseNoSeeds     Code = "no_seeds_settle_it" // no reasonable number of seeds would
	AdviseClimb       Code = "add_a_larger_rank"  // patience has not run out
	// AdviseNoise: Ranks, or all where empty, rest on noise_sd Value, from Name. Where that is the default, likely claims rest on Limit;
	// where a person gave it and Limit is set, certain ones do, and it makes a difference.
	AdviseNoise        Code = "on_noise_sd"
	AdviseUncertain    Code = "uncertain_incumbent" // Ranks gain Gain over Over, not for certain; went on with Count seeds, Of are missing
	AdviseDraw         Code = "train_seeds"         // train Seeds at Ranks; Name is their use
	AdviseBeyond       Code = "better_beyond"       // Ranks, past the stop, gain Gain over Over: patience Of was too short
	AdviseMemorises    Code = "memorises"           // Ranks are worse than Over while the training loss falls
	AdviseOverfits     Code = "overfits_late"       // the validation loss rises after its best step
	AdviseLonger       Code = "step_limited"        // the validation loss still falls at the last step
	AdviseBarely       Code = "barely_trained"      // training won Value at most, less than min_gain
	AdviseLogs         Code = "read_logs"           // of the first of Of failed trials, Trials
	AdviseRerun        Code = "fix_and_rerun"
	AdviseLowerRate    Code = "lower_learning_rate" // now Value; at least that much where Name is set
	AdviseDiverged     Code = "diverged_ranks"      // as ReasonDiverged, where other ranks work
	AdviseAlpha        Code = "check_alpha"         // at rank Over alpha Value scales updates by Limit
	AdviseLessMemory   Code = "less_memory"         // stay below Ranks, where Over is 0 begin there, or raise limits.memory: Limit, 0 is none
	AdviseSmaller      Code = "smaller_trials"      // what needs less memory
	AdviseLessTime     Code = "less_time"           // as less_memory, for limits.trial_time
	AdviseCheaper      Code = "cheaper_steps"       // what makes trials cheaper
	AdviseRankCost     Code = "rank_cost"           // rank Over has Count trainable parameters, Value bytes with gradient and moments
	AdviseMoreTime     Code = "more_time"           // raise limits.time
	AdviseUndrawn      Code = "undrawn_seeds"       // limits.time, Limit seconds, ran out before the extra seeds of Ranks; Name is their use
	AdviseUndrawnSpent Code = "undrawn_tokens"      // as undrawn_seeds, for limits.tokens, Limit
	AdviseMoreTokens   Code = "more_tokens"         // raise limits.tokens
	AdviseNewName      Code = "new_name"            // how ranks are added to a grid that ran
	AdviseNextRank     Code = "try_rank"            // try rank Over next
	AdviseWidest       Code = "no_larger_rank"      // the last rank is as wide as the widest target
	AdviseEdge         Code = "edge"                // the best value of axis Name at Ranks is the last of its list on that Side
	AdviseChosen       Code = "tuned_choice"        // each rank stands for the best of Count candidates
	AdviseScale        Code = "scale_varies"        // the scaling goes from Values[0] at Ranks[0] to Values[1] at Ranks[1]
	AdviseRace         Code = "outraced"            // no trial is spent on further ranks; race: false trains them
	AdviseRaceScouts   Code = "outraced_by_scouts"  // no trial is spent on any rank; race: false trains them
	AdviseClimbInstead Code = "climb_instead"       // strategy Name trains rank Over first; a ladder climbs from Ranks
	AdviseCertify      Code = "certify_scout"       // strategy: scout trains what a verdict needs
)

// What drawn seeds are for: Finding.Name of ReasonDrawing, AdviseDraw and AdviseUndrawn.
const (
	UseCertify = "certify" // they may certify the plateau
	UseShow    = "show"    // they show better how likely it is
)
