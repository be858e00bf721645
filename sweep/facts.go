package sweep

import (
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// TrialState is what a trial's attempts add up to: the word that decisions, reports and the database's views share.
type TrialState string

// The states of a trial. The first four go on; the others are over.
const (
	TrialPending     TrialState = "pending"     // never begun
	TrialRunning     TrialState = "running"     // or its end was not seen yet
	TrialInterrupted TrialState = "interrupted" // asked to stop
	TrialCrashed     TrialState = "crashed"     // it did not get through; it is tried again
	TrialDone        TrialState = "done"        // it has a loss
	TrialUnstable    TrialState = "unstable"    // a loss or gradient was not finite
	TrialOverMemory  TrialState = "over_memory" // not started, or killed, for memory
	TrialOverTime    TrialState = "over_time"   // limits.trial_time
	TrialFailed      TrialState = "failed"      // for good
)

// Over reports whether the trial goes no further.
func (s TrialState) Over() bool {
	switch s {
	case TrialPending, TrialRunning, TrialInterrupted, TrialCrashed:
		return false
	case TrialDone, TrialUnstable, TrialOverMemory, TrialOverTime, TrialFailed:
	}
	return true
}

// Lost reports whether the trial is over without a loss.
func (s TrialState) Lost() bool { return s.Over() && s != TrialDone }

// State derives a trial's state from its attempts: that of the outcome that ended it, else the last attempt's. The
// database's view trial_states follows the same rule.
func (t *TrialFacts) State() TrialState {
	o := t.Final()
	switch {
	case o != nil && o.State == trial.OutcomeDone && o.ValLoss == nil:
		return TrialFailed
	case o != nil:
		return TrialState(o.State)
	case len(t.Attempts) == 0:
		return TrialPending
	case t.shape().over:
		return TrialOverMemory
	case t.crashedOut():
		return TrialFailed
	}
	if last := t.Attempts[len(t.Attempts)-1].Outcome; last != nil {
		return TrialState(last.State)
	}
	return TrialRunning
}

// Checkpoint is the step of the trial's latest checkpoint, -1 when there is none.
func (t *TrialFacts) Checkpoint() int { return furthest(t.Attempts) }

// furthest is the latest checkpoint's step over the attempts, -1 when there is none.
func furthest(attempts []AttemptFacts) int {
	step := -1
	for _, a := range attempts {
		step = max(step, a.CheckpointStep)
	}
	return step
}

// open reports whether some attempt has no outcome.
func (t *TrialFacts) open() bool {
	for i := range t.Attempts {
		if t.Attempts[i].Outcome == nil {
			return true
		}
	}
	return false
}

// peak returns the trial's measured peak where memory is short; 0 means not measured.
func (t *TrialFacts) peak(platform string) int64 { return t.Memory.Peak(platform) }

// seed is the trial's seed.
func (t *TrialFacts) seed() int64 { return t.Trial.Seed }

// peak is the largest measured peak over the rung's trials; 0 means none.
func (r Rung) peak(platform string) int64 {
	var peak int64
	for i := range r.Trials {
		peak = max(peak, r.Trials[i].peak(platform))
	}
	return peak
}

// analysis is the largest memory analysis over the rung's trials; 0 means none.
func (r Rung) analysis() int64 {
	var analysis int64
	for i := range r.Trials {
		if p := r.Trials[i].Prediction; p != nil {
			analysis = max(analysis, p.AnalysisBytes)
		}
	}
	return analysis
}

// trainSeconds is the mean over the rung's finished trials; 0 means none.
func (r Rung) trainSeconds() float64 {
	var seconds []float64
	for i := range r.Trials {
		if o := r.Trials[i].Final(); o != nil && o.State == trial.OutcomeDone {
			seconds = append(seconds, o.TrainSeconds)
		}
	}
	if len(seconds) == 0 {
		return 0
	}
	return stat.Mean(seconds, nil)
}

// Reopen sees what other sweeps made of shared trials with this sweep's eyes. Those that ended without a loss get a fresh chance:
// a person who raises a limit or fixes what failed runs the grid under a new name to have them tried again. So do this sweep's own
// where a person asked to retry them. What is done stays done, unless it needed more memory than this sweep allows or a person wants it
// again: until that has ended, it does not count. A loss that is not finite would come again, and is tried again only where a person wants
// just that. Every Store calls it on the snapshots it returns.
func (s *Snapshot) Reopen() {
	s.Each(func(_ *Ladder, _ int, t *TrialFacts) { t.Reopen(s.Sweep) })
}

// Reopen is Snapshot.Reopen of one trial, of which the store has just read the facts.
func (t *TrialFacts) Reopen(info Info) {
	again := !slices.ContainsFunc(t.Attempts, func(a AttemptFacts) bool {
		return a.Number > t.Retried && a.Outcome != nil && a.Outcome.State.EndsTrial()
	})
	t.Attempts = slices.Clone(t.Attempts)
	for i, a := range t.Attempts {
		own, retried := a.Sweep == info.Name, t.Retried > 0 && a.Number <= t.Retried
		if a.Outcome == nil || own && !retried {
			continue
		}
		seen := *a.Outcome
		switch seen.State {
		case trial.OutcomeDone:
			if limit := info.Limits.Memory; !own && limit > 0 && t.peak(info.Platform) > limit {
				seen.State = trial.OutcomeOverMemory
			} else if retried && again {
				seen.State = trial.OutcomeInterrupted
			}
		case trial.OutcomeOverMemory, trial.OutcomeOverTime, trial.OutcomeFailed, trial.OutcomeCrashed:
			seen.State = trial.OutcomeInterrupted
		case trial.OutcomeUnstable:
			if retried {
				seen.State = trial.OutcomeInterrupted
			}
		case trial.OutcomeInterrupted:
		}
		t.Attempts[i].Outcome = &seen
	}
}
