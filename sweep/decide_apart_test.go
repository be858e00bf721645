package sweep_test

import (
	"testing"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/sweep/trial/cause"
)

// TestDecideApart has four trials of two ladders, of which one runs: machines of their own take no account of each other.
func TestDecideApart(t *testing.T) {
	t.Parallel()
	for name, platform := range map[string]string{"on hosts": "xla:cpu", "on GPUs": trial.PlatformCUDA} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := registered(t, []float64{16, 32}, []int{1, 2, 4}, 0, 1)
			s.Sweep.Platform = platform
			first, second := s.Ladders[0].Rungs[0].Trials[0].Trial.ID, s.Ladders[0].Rungs[0].Trials[1].Trial.ID
			live := []trial.AttemptID{begin(&s, first)}
			edit(&s, first, func(t *sweep.TrialFacts) {
				t.Memory.PeakHostBytes, t.Memory.PeakDeviceBytes = new(int64(70)), new(int64(40))
			})
			finish(&s, second, trial.Outcome{State: trial.OutcomeCrashed, Cause: cause.MemoryShared}) // it wants to be alone
			together := sweep.Capacity{Jobs: 4, HostBytes: 80, DeviceBytes: 80}
			if d := sweep.Decide(s, live, together); len(d.Start) != 0 {
				t.Errorf("on one machine %v start, want none beside the first", names(s, d.Start))
			}
			apart := together
			apart.Apart = true
			d := sweep.Decide(s, live, apart)
			if len(d.Start) != 3 {
				t.Fatalf("%v start, want all three", names(s, d.Start))
			}
			for _, l := range d.Start {
				if l.HostBytes != 70 {
					t.Errorf("%v is expected to take %d bytes of its host, want 70", names(s, []sweep.Launch{l}), l.HostBytes)
				}
			}
			apart.Jobs = 2
			if d := sweep.Decide(s, live, apart); len(d.Start) != 1 {
				t.Errorf("with two jobs %v start beside one, want one", names(s, d.Start))
			}
		})
	}
}

// TestDecideTrainsAheadApart: on GPUs of their own, trials that nothing waits for begin on all jobs that would idle.
func TestDecideTrainsAheadApart(t *testing.T) {
	t.Parallel()
	s := climbing(t)
	s.Sweep.Platform = trial.PlatformCUDA
	if d := sweep.Decide(s, nil, sweep.Capacity{Jobs: 4, Apart: true}); len(d.Start) != 4 || len(d.Stop) != 0 {
		t.Errorf("%v start and %v stop, want four and none", names(s, d.Start), d.Stop)
	}
}

// TestDecideExpectsTime: what a trial takes from its checkpoint on is foretold by its own steps, else by its rung's or the one below.
func TestDecideExpectsTime(t *testing.T) {
	t.Parallel()
	trained := func(state trial.OutcomeState, step int, train, total float64) trial.Outcome {
		o := done(4.8)
		o.State, o.Step, o.TrainSeconds, o.TotalSeconds = state, step, train, total
		return o
	}
	steps := sweeptest.Trial(16, 1, 0).Spec.TotalSteps()
	for name, tt := range map[string]struct {
		facts func(s *sweep.Snapshot)
		want  float64
	}{
		"nothing was trained": {func(*sweep.Snapshot) {}, 0},
		"a sibling was": {func(s *sweep.Snapshot) {
			finish(s, s.Ladders[0].Rungs[0].Trials[0].Trial.ID, trained(trial.OutcomeDone, steps, 100, 130))
		}, 130},
		"half of it was, and of its evaluations": {func(s *sweep.Snapshot) {
			finish(s, s.Ladders[0].Rungs[0].Trials[0].Trial.ID, trained(trial.OutcomeUnstable, steps/2, 100, 130))
		}, 260},
		"it is to continue": {func(s *sweep.Snapshot) {
			id := s.Ladders[0].Rungs[0].Trials[1].Trial.ID
			finish(s, id, trained(trial.OutcomeInterrupted, steps/2, 100, 130))
			edit(s, id, func(t *sweep.TrialFacts) { t.Attempts[0].CheckpointStep = steps / 2 })
		}, 160},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := registered(t, []float64{16}, []int{1}, 0, 1)
			tt.facts(&s)
			for _, l := range sweep.Decide(s, nil, sweep.Capacity{Jobs: 2}).Start {
				if l.Trial == s.Ladders[0].Rungs[0].Trials[1].Trial.ID && l.Seconds != tt.want {
					t.Errorf("expected to take %v s, want %v", l.Seconds, tt.want)
				}
			}
		})
	}
}
