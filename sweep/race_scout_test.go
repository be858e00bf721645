package sweep_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

func racingScouts(i *sweep.Info) { i.Strategy, i.Race = sweep.StrategyScout, true }

// behind makes a trainer of two cells, of which that with alpha 32 loses so much at every rank.
func behind(by float64) sweeptest.Trainer {
	tr := means(4.8, 4.7, 4.6, 4.599, 4.598, 4.597)
	first := tr.Loss
	tr.Loss = func(t trial.Trial) float64 {
		if t.Spec.LoRA.Alpha == 32 {
			return first(t) + by
		}
		return first(t)
	}
	return tr
}

// TestRaceOfScouts: a cell whose scout is far behind at every rank trains nothing else; one that may still win is climbed.
func TestRaceOfScouts(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		by     float64
		change func(*sweep.Info)
		out    bool
	}{
		"far behind":             {0.3, nil, true},
		"within the noise":       {0.08, nil, false},
		"one seed is enough":     {0.3, func(i *sweep.Info) { i.Seeds = []int64{0} }, true},
		"race: false":            {0.3, func(i *sweep.Info) { i.Race = false }, false},
		"the scouts' curve only": {0.3, func(i *sweep.Info) { i.Strategy = sweep.StrategyCurve }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, err := newBench(t, behind(tt.by), func(i *sweep.Info) {
					racingScouts(i)
					if tt.change != nil {
						tt.change(i)
					}
				}).run(t.Context(), t, nil)
				if err != nil {
					t.Fatal(err)
				}
				verdicts := sweep.Conclude(s).Verdicts
				if got := verdicts[1].State == plateau.StateOutraced; got != tt.out || verdicts[0].State == plateau.StateOutraced {
					t.Fatalf("%s and %s (%s)", verdicts[0].State, verdicts[1].State, prose.Reason(verdicts[1]))
				}
				if tt.out && len(trainedRanks(s.Ladders[1])) > 0 {
					t.Errorf("ranks %v were trained", trainedRanks(s.Ladders[1]))
				}
			})
		})
	}
}

// TestRaceOfScoutsSays: the verdict names the leader, both ranks, the gap and what is left of it, and recommends none of its own ranks.
func TestRaceOfScoutsSays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, err := newBench(t, behind(0.3), racingScouts).run(t.Context(), t, nil)
		if err != nil {
			t.Fatal(err)
		}
		v := sweep.Conclude(s).Verdicts[1]
		f := v.Reason
		if f.Code != plateau.ReasonOutscouted || f.Count != 1 || f.Name != "alpha=16" || !slices.Equal(f.Ranks, []int{32, 32}) ||
			f.Of != 32 || v.RecommendedRank != 0 || v.MinGain < 0.024 || len(v.Rungs) > 0 {
			t.Fatalf("rank %d, %+v", v.RecommendedRank, f)
		}
		if f.Values[0] < 0.299 || f.Values[0] > 0.301 || f.Gain.Mean >= f.Values[0] || *f.Gain.Lo >= f.Gain.Mean || *f.Gain.Lo <= v.MinGain {
			t.Errorf("behind by %v, %v of it left, %v at least", f.Values, f.Gain.Mean, *f.Gain.Lo)
		}
		if text := prose.Reason(v); !strings.Contains(text, "ladder 1 (alpha=16) is ahead by the scouts") {
			t.Errorf("the reason is %q", text)
		}
	})
}

// TestRaceOfScoutsThatFails: a leader whose ranks do not train is no reason to be out.
func TestRaceOfScoutsThatFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tr := behind(0.3)
		tr.Unstable = func(t trial.Trial) bool { return t.Spec.LoRA.Alpha == 16 && t.Spec.Shrink == nil }
		s, err := newBench(t, tr, racingScouts).run(t.Context(), t, nil)
		if err != nil {
			t.Fatal(err)
		}
		verdicts := sweep.Conclude(s).Verdicts
		if verdicts[0].State != plateau.StateUnstable || verdicts[1].State != plateau.StatePlateau {
			t.Errorf("%s and %s (%s)", verdicts[0].State, verdicts[1].State, prose.Reason(verdicts[1]))
		}
	})
}

// TestRaceOfScoutsWaits: a ladder whose scout is finished waits for the others', says so, and where time runs out meanwhile names the rank
// that it would begin at.
func TestRaceOfScoutsWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, err := newBench(t, behind(0), racingScouts).run(t.Context(), t, nil)
		if err != nil {
			t.Fatal(err)
		}
		for l := range s.Ladders {
			for r := range s.Ladders[l].Rungs {
				for i := range s.Ladders[l].Rungs[r].Trials {
					s.Ladders[l].Rungs[r].Trials[i].Attempts = nil
				}
			}
		}
		s.Ladders[1].Scouts = nil
		v := sweep.Conclude(s).Verdicts[0]
		if v.State != plateau.StateRunning || !strings.Contains(prose.Reason(v), "the scout is finished: training waits") {
			t.Errorf("%s: %s", v.State, prose.Reason(v))
		}
		if d := sweep.Decide(s, nil, sweep.Capacity{Jobs: 4}); len(d.Start) > 0 || len(d.Register) != 1 || d.Register[0].Ladder != 1 {
			t.Errorf("starts %+v, registers %+v", d.Start, d.Register)
		}
		s.Sweep.Limits.Time, s.Sweep.Elapsed = time.Hour, time.Hour
		if v := sweep.Conclude(s).Verdicts[0]; v.State != plateau.StateTimeLimited || !slices.Equal(v.Reason.Ranks, []int{2}) {
			t.Errorf("%s: %s", v.State, prose.Reason(v))
		}
	})
}

// TestRaceOfScoutsSafeAndOrderFree: no rank is trained by itself before all scouts have ended, none of a cell that is out, and no order of
// events leads to another verdict or to other trials.
func TestRaceOfScoutsSafeAndOrderFree(t *testing.T) {
	t.Parallel()
	outraced := 0
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(t, rt)
		racingScouts(&w.snapshot.Sweep)
		for l := range w.snapshot.Ladders {
			w.behind = append(w.behind, rapid.SampledFrom([]float64{0, 0.1, 0.4}).Draw(rt, "behind"))
			w.worsen(l, w.behind[l])
		}
		first, second := w.work(rt, "first order"), w.work(rt, "second order")
		for i, v := range checkSame(rt, first, second) {
			if a, b := neededRanks(first, i, v), neededRanks(second, i, v); !slices.Equal(a, b) {
				rt.Fatalf("ladder %d trained ranks %v in one order and %v in another", i, a, b)
			}
			if v.Reason.Code != plateau.ReasonOutscouted || shared(first, i) {
				continue
			}
			outraced++
			if trained := trainedRanks(first.Ladders[i]); len(trained) > 0 {
				rt.Fatalf("ladder %d is out by its scout, but ranks %v were trained", i, trained)
			}
		}
	})
	if outraced == 0 {
		t.Error("no cell was outraced")
	}
}

// TestRaceOfScoutsCrashesAnywhere: a resumed race decides as an uninterrupted one.
func TestRaceOfScoutsCrashesAnywhere(t *testing.T) {
	t.Parallel()
	crashAnywhereWith(t, behind(0.3), racingScouts, 37, 41, 59)
}
