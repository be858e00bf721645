package sweep

import "testing"

// TestForeignLimitsDoNotBind: a trial that another sweep's limits ended is open here; what it ended otherwise stays.
func TestForeignLimitsDoNotBind(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		by    string
		state OutcomeState
		open  bool
	}{
		{"other", OutcomeOverMemory, true},
		{"other", OutcomeOverTime, true},
		{"mine", OutcomeOverMemory, false},
		{"mine", OutcomeOverTime, false},
		{"other", OutcomeUnstable, false},
		{"other", OutcomeFailed, false},
	} {
		recorded := &Outcome{State: test.state}
		s := Snapshot{
			Sweep:   Info{Name: "mine"},
			Ladders: []Ladder{{Rungs: []Rung{{Trials: []TrialFacts{{Attempts: []AttemptFacts{{Sweep: test.by, Outcome: recorded}}}}}}}},
		}
		s.LiftForeignLimits()
		if got := s.Ladders[0].Rungs[0].Trials[0].state() == trialPending; got != test.open {
			t.Errorf("%s of sweep %s: open %v, want %v", test.state, test.by, got, test.open)
		}
		if recorded.State != test.state {
			t.Errorf("the recorded fact became %s", recorded.State)
		}
	}
}
