package sweep

import (
	"slices"

	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// crashLimit is how many attempts in a row may crash without getting further before a trial counts as failed for good:
// enough for a machine that is short of memory now and then, few enough to end.
const crashLimit = 5

// trialState is what a trial's attempts add up to.
type trialState int

const (
	trialPending    trialState = iota // it may still end with a loss
	trialDone                         // it has a loss
	trialUnstable                     // NaN
	trialOverMemory                   // not started, or killed, for memory
	trialOverTime                     // limits.trial_time
	trialFailed                       // for good
)

// state derives a trial's state from its attempts.
func (t TrialFacts) state() trialState {
	o := t.Final()
	if o == nil {
		if t.crashedOut() {
			return trialFailed
		}
		return trialPending
	}
	switch o.State {
	case trial.OutcomeDone:
		if o.ValLoss != nil {
			return trialDone
		}
	case trial.OutcomeUnstable:
		return trialUnstable
	case trial.OutcomeOverMemory:
		return trialOverMemory
	case trial.OutcomeOverTime:
		return trialOverTime
	case trial.OutcomeInterrupted, trial.OutcomeCrashed, trial.OutcomeFailed:
	}
	return trialFailed
}

// crashedOut reports whether the last crashLimit attempts all crashed and none of them got a checkpoint further than the
// attempts before them.
func (t TrialFacts) crashedOut() bool {
	n := len(t.Attempts) - crashLimit
	if n < 0 {
		return false
	}
	last := t.Attempts[n:]
	if slices.ContainsFunc(last, func(a AttemptFacts) bool { return a.Outcome == nil || a.Outcome.State != trial.OutcomeCrashed }) {
		return false
	}
	return furthest(last) <= furthest(t.Attempts[:n])
}

// furthest is the latest checkpoint's step over the attempts, -1 when there is none.
func furthest(attempts []AttemptFacts) int {
	step := -1
	for _, a := range attempts {
		step = max(step, a.CheckpointStep)
	}
	return step
}

// open returns the attempt without an outcome, or nil.
func (t TrialFacts) open() *AttemptFacts {
	for i := range t.Attempts {
		if t.Attempts[i].Outcome == nil {
			return &t.Attempts[i]
		}
	}
	return nil
}

// peak returns the trial's measured peak where memory is short; 0 means not measured.
func (t TrialFacts) peak(platform string) int64 { return t.Memory.Peak(platform) }

// seed is the trial's seed.
func (t TrialFacts) seed() int64 { return t.Trial.Spec.Seed }

// peak is the largest measured peak over the rung's trials; 0 means none.
func (r Rung) peak(platform string) int64 {
	var peak int64
	for _, t := range r.Trials {
		peak = max(peak, t.peak(platform))
	}
	return peak
}

// analysis is the largest memory analysis over the rung's trials; 0 means none.
func (r Rung) analysis() int64 {
	var analysis int64
	for _, t := range r.Trials {
		if t.Prediction != nil {
			analysis = max(analysis, t.Prediction.AnalysisBytes)
		}
	}
	return analysis
}

// trainSeconds is the mean over the rung's finished trials; 0 means none.
func (r Rung) trainSeconds() float64 {
	var seconds []float64
	for _, t := range r.Trials {
		if o := t.Final(); o != nil && o.State == trial.OutcomeDone {
			seconds = append(seconds, o.TrainSeconds)
		}
	}
	if len(seconds) == 0 {
		return 0
	}
	return plateau.Mean(seconds)
}

// Reopen sees what other sweeps made of shared trials with this sweep's eyes. Those that ended without a loss get a fresh
// chance: who raises a limit or mends what failed runs the grid under a new name to have them tried again. What is done
// stays done, unless it needed more memory than this sweep allows; a loss that is not finite would come again. Every Store
// calls it on the snapshots it returns.
func (s *Snapshot) Reopen() {
	for _, l := range s.Ladders {
		for _, r := range l.Rungs {
			for i := range r.Trials {
				r.Trials[i].reopen(s.Sweep)
			}
		}
	}
}

func (t *TrialFacts) reopen(info Info) {
	t.Attempts = slices.Clone(t.Attempts)
	for i, a := range t.Attempts {
		if a.Outcome == nil || a.Sweep == info.Name {
			continue
		}
		seen := *a.Outcome
		switch seen.State {
		case trial.OutcomeDone:
			if limit := info.Limits.Memory; limit > 0 && t.peak(info.Platform) > limit {
				seen.State = trial.OutcomeOverMemory
			}
		case trial.OutcomeOverMemory, trial.OutcomeOverTime, trial.OutcomeFailed, trial.OutcomeCrashed:
			seen.State = trial.OutcomeInterrupted
		case trial.OutcomeUnstable, trial.OutcomeInterrupted:
		}
		t.Attempts[i].Outcome = &seen
	}
}
