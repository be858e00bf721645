package sweep

import (
	"fmt"
	"sort"
	"strconv"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Forecast is what a plan foresees of a whole grid.
type Forecast struct {
	Finished        int       `json:"finished_before"` // trials that need no training again
	ExpectedTrials  int       `json:"expected_trials"` // of those left, climbing the ladders: see Protocols
	ExpectedSeconds float64   `json:"expected_seconds"`
	MostTrials      int       `json:"most_trials"`
	MostSeconds     float64   `json:"most_seconds"`
	EvaluationShare float64   `json:"evaluation_share"`  // of the time of all trials
	Limits          []Reached `json:"limits"`            // those that the estimates reach
	Hopeless        bool      `json:"hopeless"`          // some limit leaves no ladder a verdict about ranks
	Extends         string    `json:"extends,omitempty"` // the sweep of the grid's name, which goes on with it
	Cheaper         *Cheaper  `json:"cheaper"`           // a grid that fits all limits; nil where this one does, none was found, or Extends

	used     int64 // bytes that the root takes already
	finished map[trial.ID]bool
}

// Before is what has been trained already.
type Before struct {
	Finished map[trial.ID]bool  // trials of any sweep that have a loss
	Extends  string             // the registered sweep that goes on with the grid; empty for none
	Elapsed  time.Duration      // of that sweep: see Info
	Tokens   map[trial.ID]int64 // likewise, by trial: see Snapshot.TokensByTrial
}

// Reached is a limit that some trials are expected to meet.
type Reached struct {
	// Limit is limits.memory, limits.time, limits.trial_time, limits.tokens, limits.disk, or machine: the memory that there is.
	Limit  string  `json:"limit"`
	Ladder int     `json:"ladder"`          // from 1
	Rank   int     `json:"rank"`            // the lowest that meets it
	Value  float64 `json:"value"`           // of the limit: bytes, seconds or tokens
	Needed float64 `json:"needed"`          // likewise
	Spent  float64 `json:"spent,omitempty"` // of Needed: what the sweep has taken already, in seconds or tokens
	Step   int     `json:"step,omitempty"`
	Steps  int     `json:"steps,omitempty"` // of them the trial ends after Step
	Every  bool    `json:"every"`           // the ladder's lowest rank meets it already, so that no rank gets a loss

	Checkpointing *Remedy `json:"gradient_checkpointing,omitempty"` // nil where it was not measured: see Remedy.Add
	SmallerBatch  *Remedy `json:"smaller_batch,omitempty"`          // likewise: half the batch_size, twice the gradient_accumulation_steps
}

// Names of limits in Reached.
const (
	limitMemory  = "limits.memory"
	limitMachine = "machine"
	limitTime    = "limits.time"
	limitTokens  = "limits.tokens"
	limitDisk    = "limits.disk"
)

// sum is what the trials of a sweep take together of something that is limited, in the order in which they run.
type sum struct {
	limit   string
	allowed float64 // 0: no limit
	spent   float64 // before: part of all
	all     float64
	reached *Reached
}

func newSum(limit string, allowed, spent float64) sum {
	return sum{limit: limit, allowed: allowed, spent: spent, all: spent}
}

// trainedOn is how many tokens the sweep has counted.
func (b Before) trainedOn() (total float64) {
	for _, tokens := range b.Tokens {
		total += float64(tokens)
	}
	return total
}

// tokensLeft is how many tokens those of the trials that have no loss will add to trainedOn.
func (b Before) tokensLeft(trials []PlannedTrial, each int64) (left float64) {
	for _, t := range trials {
		if !b.Finished[t.Trial.ID] {
			left += float64(max(0, each-b.Tokens[t.Trial.ID]))
		}
	}
	return left
}

// add counts a rung, the j-th of ladder i.
func (m *sum) add(amount float64, i, j, rank int) {
	m.all += amount
	if m.allowed > 0 && m.all > m.allowed && amount > 0 && m.reached == nil {
		m.reached = &Reached{Limit: m.limit, Ladder: i + 1, Rank: rank, Value: m.allowed, Every: i == 0 && j <= 1}
	}
}

// tell adds the limit to a forecast if it is reached. A second rank is what it takes to compare ranks.
func (m *sum) tell(f *Forecast) {
	if m.reached == nil {
		return
	}
	m.reached.Needed, m.reached.Spent = m.all, m.spent
	f.Limits = append(f.Limits, *m.reached)
	f.Hopeless = f.Hopeless || m.reached.Every
}

// ByMachine says that what stops ranks for want of memory is the machine (or its container, or its GPU), which has less than the grid
// allows.
func (f *Forecast) ByMachine() {
	for i := range f.Limits {
		if f.Limits[i].Limit == limitMemory {
			f.Limits[i].Limit = limitMachine
		}
	}
}

// Forecast adds up what was estimated of all ladders, but for what was trained before. Trials run in the order of ladders and ranks, as far
// as there are jobs.
func (r Registration) Forecast(info Info, estimates []LadderEstimate, before Before, jobs int) Forecast {
	limits, finished := info.Limits, before.Finished
	f := Forecast{Limits: []Reached{}, Extends: before.Extends, finished: finished}
	parallel := float64(max(1, min(jobs, r.Parallel())))
	var evaluating float64 // of the rungs
	time := newSum(limitTime, limits.Time.Seconds(), before.Elapsed.Seconds())
	tokens := newSum(limitTokens, float64(limits.Tokens), before.trainedOn())
	var references amount
	stuck := 0
	for i, l := range r.Ladders {
		bound := map[string]bool{}
		for j, rung := range l.Rungs {
			e := estimates[i].Rungs[j]
			for _, reached := range rungLimits(e, i+1, rung.Rank, j == 0, limits) {
				if !bound[reached.Limit] {
					f.Limits = append(f.Limits, reached)
				}
				bound[reached.Limit] = true
			}
			left := unfinished(rung.Trials, finished)
			f.Finished += len(rung.Trials) - left
			if bound[limitMemory] {
				continue
			}
			f.MostTrials += left
			time.add(float64(left)*e.TrialSeconds/parallel, i, j, rung.Rank)
			tokens.add(before.tokensLeft(rung.Trials, l.Tokens(rung.Trials[0].Trial.Spec())), i, j, rung.Rank)
			evaluating += float64(left) * e.EvalSeconds / parallel
		}
		if lowest := estimates[i].Rungs[0]; lowest.OverMemory || lowest.Ends > 0 {
			stuck++
		}
		f.Finished += len(l.Reference) - unfinished(l.Reference, finished)
		left, seconds := l.referenceCost(estimates[i], finished)
		references.add(left, seconds, 1)
	}
	ladder := r.Protocols(info, estimates, finished, jobs)[0]
	f.MostTrials, f.MostSeconds = f.MostTrials+int(references.trials), time.all-time.spent+references.seconds/parallel
	f.ExpectedTrials, f.ExpectedSeconds = ladder.ExpectedTrials, *ladder.ExpectedSeconds
	if ahead := time.all - time.spent; ahead > 0 {
		f.EvaluationShare = evaluating / ahead
	}
	time.tell(&f)
	tokens.tell(&f)
	f.Hopeless = f.Hopeless || len(r.Ladders) > 0 && stuck == len(r.Ladders)
	return f
}

// rungLimits are the limits per trial that a rung's trials meet.
func rungLimits(e RungEstimate, ladder, rank int, lowest bool, limits Limits) []Reached {
	var reached []Reached
	if e.OverMemory {
		reached = append(reached, Reached{
			Limit: limitMemory, Ladder: ladder, Rank: rank, Value: float64(limits.Memory), Needed: float64(e.Bytes), Every: lowest,
		})
	}
	if e.Ends > 0 {
		reached = append(reached, Reached{
			Limit: "limits.trial_time", Ladder: ladder, Rank: rank, Value: limits.TrialTime.Seconds(), Needed: e.TrialSeconds, Step: e.Ends,
			Steps: e.Steps, Every: lowest,
		})
	}
	return reached
}

// endsAt is the step after which a trial is over a time, 0 where it finishes in it.
func (m Measurement) endsAt(t trial.TrainSpec, limit time.Duration) int {
	if limit <= 0 {
		return 0
	}
	over := func(step int) bool {
		return m.Startup+float64(1+step/t.EvalSteps)*m.EvalSeconds+float64(step)*m.StepSeconds > limit.Seconds()
	}
	if step := sort.Search(t.Steps, over); step < t.Steps {
		return max(1, step)
	}
	return 0
}

// String says what the limit does to the plan.
func (r Reached) String() string {
	from := fmt.Sprintf("trials from rank %d on (ladder %d)", r.Rank, r.Ladder)
	if r.Every {
		from = fmt.Sprintf("every trial (ladder %d)", r.Ladder)
	}
	switch r.Limit {
	case limitMemory, limitMachine:
		allowed := "limits.memory " + trial.FormatBytes(int64(r.Value)) + " allows"
		if r.Limit == limitMachine {
			allowed = "the machine's " + trial.FormatBytes(int64(r.Value))
		}
		text := fmt.Sprintf("rank %d (ladder %d) would need %s, more than %s: it is not started", r.Rank, r.Ladder,
			trial.FormatBytes(int64(r.Needed)), allowed)
		if r.Every {
			text += ", so there is no verdict"
		}
		return text + r.remediesText()
	case "limits.trial_time":
		text := fmt.Sprintf("limits.trial_time %s ends %s at step %d of %d", seconds(r.Value), from, r.Step, r.Steps)
		if r.Every {
			return text + ": no verdict"
		}
		return text
	}
	return r.sumText()
}

// sumText is String for a limit of all trials together.
func (r Reached) sumText() string {
	unit := map[string]func(float64) string{
		limitTime: seconds, limitDisk: func(v float64) string { return trial.FormatBytes(int64(v)) },
		limitTokens: func(v float64) string { return strconv.FormatFloat(v, 'f', 0, 64) },
	}[r.Limit]
	text := fmt.Sprintf("%s %s is reached at rank %d of ladder %d, where all would take up to %s", r.Limit, unit(r.Value), r.Rank, r.Ladder,
		unit(r.Needed))
	if r.Spent > 0 {
		text += ", of which the sweep has taken " + unit(r.Spent)
	}
	switch {
	case r.Limit == limitDisk:
		text += ": the sweep waits there until somebody makes room"
	case r.Every:
		text += ": no verdict"
	}
	return text
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Second).String()
}
