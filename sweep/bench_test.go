package sweep_test

import (
	"fmt"
	"testing"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
)

// BenchmarkDecide decides about a sweep of which nothing was begun, nor measured, and about one with nine plateaus in ten ladders.
func BenchmarkDecide(b *testing.B) {
	sweeptest.Sizes(b, func(b *testing.B, ladders int) {
		b.Helper()
		for _, begun := range []bool{false, true} {
			b.Run(fmt.Sprintf("begun=%v", begun), func(b *testing.B) {
				s, state, starts := sweeptest.Large(ladders), plateau.StatePlateau, min(2, ladders/10)
				if !begun {
					forget(s)
					state, starts = plateau.StateRunning, 1 // alone, until it has said how much memory it takes
				}
				b.ReportAllocs()
				for b.Loop() {
					d := sweep.Decide(s, nil, sweep.Capacity{Jobs: 2, HostBytes: 8 << 30})
					if len(d.Start) != starts || d.Verdicts[0].State != state {
						b.Fatalf("%d launches, the first ladder %s: %s", len(d.Start), d.Verdicts[0].State, d.Verdicts[0].Reason.Code)
					}
				}
			})
		}
	})
}

// BenchmarkDecideAgain decides each time that one trial more has ended: a ladder in ten lacks two.
func BenchmarkDecideAgain(b *testing.B) {
	sweeptest.Sizes(b, func(b *testing.B, ladders int) {
		b.Helper()
		s, capacity := sweeptest.Large(ladders), sweep.Capacity{Jobs: 2, HostBytes: 8 << 30}
		var d sweep.Decider
		decision := d.Decide(s, nil, capacity)
		for b.Loop() {
			b.StopTimer()
			if len(decision.Start) == 0 {
				s, d = sweeptest.Large(ladders), sweep.Decider{}
				decision = d.Decide(s, nil, capacity)
			}
			finish(&s, decision.Start[0].Trial, done(4.9))
			b.StartTimer()
			decision = d.Decide(s, nil, capacity)
		}
	})
}

// forget leaves of every trial what was registered.
func forget(s sweep.Snapshot) {
	for _, l := range s.Ladders {
		for _, r := range l.Rungs {
			for i, t := range r.Trials {
				r.Trials[i] = sweep.TrialFacts{Trial: t.Trial}
			}
		}
	}
}
