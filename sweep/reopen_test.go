package sweep

import (
	"slices"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// TestReopen: what another sweep ended without a loss is open here; what this one ended stays ended.
func TestReopen(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		by    string
		state trial.OutcomeState
		open  bool
	}{
		{"other", trial.OutcomeOverMemory, true},
		{"other", trial.OutcomeOverTime, true},
		{"mine", trial.OutcomeOverMemory, false},
		{"mine", trial.OutcomeOverTime, false},
		{"other", trial.OutcomeUnstable, false},
		{"other", trial.OutcomeFailed, true},
		{"mine", trial.OutcomeFailed, false},
	} {
		recorded := &trial.Outcome{State: test.state}
		s := Snapshot{
			Sweep:   Info{Name: "mine"},
			Ladders: []Ladder{{Rungs: []Rung{{Trials: []TrialFacts{{Attempts: []AttemptFacts{{Sweep: test.by, Outcome: recorded}}}}}}}},
		}
		s.Reopen()
		if got := !s.Ladders[0].Rungs[0].Trials[0].State().Over(); got != test.open {
			t.Errorf("%s of sweep %s: open %v, want %v", test.state, test.by, got, test.open)
		}
		if recorded.State != test.state {
			t.Errorf("the recorded fact became %s", recorded.State)
		}
	}
}

// TestReopenForgivesCrashes: crashes count towards giving up only in the sweep that had them.
func TestReopenForgivesCrashes(t *testing.T) {
	t.Parallel()
	var attempts []AttemptFacts
	for range crashLimit {
		attempts = append(attempts, AttemptFacts{Sweep: "other", CheckpointStep: -1, Outcome: &trial.Outcome{State: trial.OutcomeCrashed}})
	}
	for name, want := range map[string]TrialState{"other": TrialFailed, "mine": TrialInterrupted} {
		s := Snapshot{Sweep: Info{Name: name}, Ladders: []Ladder{{Rungs: []Rung{{Trials: []TrialFacts{{Attempts: attempts}}}}}}}
		s.Reopen()
		if got := s.Ladders[0].Rungs[0].Trials[0].State(); got != want {
			t.Errorf("after %d crashes in sweep other its state in sweep %s is %v, want %v", crashLimit, name, got, want)
		}
	}
}

// TestReopenKeepsTheMemoryLimit: a loss that took more memory than this sweep allows does not count in it.
func TestReopenKeepsTheMemoryLimit(t *testing.T) {
	t.Parallel()
	loss, peak := 4.5, int64(100)
	for limit, want := range map[int64]TrialState{0: TrialDone, 100: TrialDone, 99: TrialOverMemory} {
		facts := TrialFacts{
			Attempts: []AttemptFacts{{Sweep: "other", Outcome: &trial.Outcome{State: trial.OutcomeDone, ValLoss: &loss}}},
			Memory:   trial.Memory{PeakHostBytes: &peak},
		}
		s := Snapshot{
			Sweep:   Info{Name: "mine", Limits: Limits{Memory: limit}},
			Ladders: []Ladder{{Rungs: []Rung{{Trials: []TrialFacts{facts}}}}},
		}
		s.Reopen()
		if got := s.Ladders[0].Rungs[0].Trials[0].State(); got != want {
			t.Errorf("with a limit of %d a trial that peaked at %d is %v, want %v", limit, peak, got, want)
		}
	}
}

// TestFreed: only what a limit ended is tried again, and only where that limit is raised.
func TestFreed(t *testing.T) {
	t.Parallel()
	loss := 4.5
	before := Limits{Memory: 100, TrialTime: time.Minute}
	for _, test := range []struct {
		outcome trial.Outcome
		now     Limits
		freed   bool
	}{
		{trial.Outcome{State: trial.OutcomeOverMemory}, Limits{Memory: 101}, true},
		{trial.Outcome{State: trial.OutcomeOverMemory}, Limits{}, true},
		{trial.Outcome{State: trial.OutcomeOverMemory}, Limits{Memory: 100}, false},
		{trial.Outcome{State: trial.OutcomeOverMemory}, Limits{Memory: 99, TrialTime: time.Hour}, false},
		{trial.Outcome{State: trial.OutcomeOverMemory, ValLoss: &loss}, Limits{}, false},
		{trial.Outcome{State: trial.OutcomeOverTime}, Limits{Memory: 100, TrialTime: time.Hour}, true},
		{trial.Outcome{State: trial.OutcomeOverTime}, Limits{TrialTime: time.Minute}, false},
		{trial.Outcome{State: trial.OutcomeFailed}, Limits{}, false},
		{trial.Outcome{State: trial.OutcomeUnstable}, Limits{}, false},
	} {
		attempts := []AttemptFacts{{ID: "a/1", Outcome: &trial.Outcome{State: trial.OutcomeInterrupted}}, {ID: "a/2", Outcome: &test.outcome}}
		facts := TrialFacts{Attempts: attempts}
		facts.Trial.ID = "a"
		s := Snapshot{Sweep: Info{Limits: before}, Ladders: []Ladder{{Rungs: []Rung{{Trials: []TrialFacts{facts}}}}}}
		var want []trial.AttemptID
		if test.freed {
			want = []trial.AttemptID{"a/2"}
		}
		if got := s.Freed(test.now); !slices.Equal(got, want) {
			t.Errorf("%+v with %+v: Freed = %v, want %v", test.outcome, test.now, got, want)
		}
	}
}
