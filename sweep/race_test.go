package sweep_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// racing has a ladder for each list of mean losses, one for each of ranks 1, 2, 4, 8 and 16 that it has finished.
func racing(t *testing.T, seeds []int64, losses ...[]float64) sweep.Snapshot {
	t.Helper()
	var alphas []float64
	for i := range losses {
		alphas = append(alphas, 16*float64(i+1))
	}
	s := registered(t, alphas, []int{1, 2, 4, 8, 16}, seeds...)
	s.Sweep.Race = true
	for l, means := range losses {
		for r, mean := range means {
			for _, f := range s.Ladders[l].Rungs[r].Trials {
				finish(&s, f.Trial.ID, done(mean+wobble(l, r, f.Trial.Seed)))
			}
		}
	}
	return s
}

// wobble is what a seed adds: 0.03 from seed to seed in all cells, and at most 0.002 of its own.
func wobble(ladder, rung int, seed int64) float64 {
	return 0.03*float64(seed) + 0.001*float64((7*ladder+5*rung+3*int(seed)*(ladder+2))%5-2)
}

// TestRace: the cell of the second list is out, or still in. min_gain is 0.5 % of about 5, 0.025.
func TestRace(t *testing.T) {
	t.Parallel()
	three := []int64{0, 1, 2}
	for name, tt := range map[string]struct {
		seeds  []int64
		losses [][]float64
		change func(*sweep.Snapshot)
		out    bool
	}{
		"far behind at two ranks":           {three, [][]float64{{4.9, 4.8}, {5.3, 5.2}}, nil, true},
		"three cells pool their noise":      {three, [][]float64{{4.9, 4.8}, {5.1, 5}, {4.9, 4.81}, {4.91, 4.8}}, nil, true},
		"behind at the last only":           {three, [][]float64{{4.9, 4.8}, {4.91, 5.2}}, nil, false},
		"behind, but catching up":           {three, [][]float64{{4.9, 4.8}, {5.5, 5.2}}, nil, false},
		"behind by less than min_gain":      {three, [][]float64{{4.9, 4.8}, {4.92, 4.82}}, nil, false},
		"behind where all still gain":       {three, [][]float64{{5.6, 5.2}, {5.9, 5.5}}, nil, true},
		"one rank only":                     {three, [][]float64{{4.9}, {5.3}}, nil, false},
		"one seed":                          {[]int64{0}, [][]float64{{4.9, 4.8}, {5.3, 5.2}}, nil, false},
		"race: false":                       {three, [][]float64{{4.9, 4.8}, {5.3, 5.2}}, noRace, false},
		"a screened sweep":                  {three, [][]float64{{4.9, 4.8}, {5.3, 5.2}}, screened, false},
		"another model":                     {three, [][]float64{{4.9, 4.8}, {5.3, 5.2}}, otherModel, false},
		"other data":                        {three, [][]float64{{4.9, 4.8}, {5.3, 5.2}}, otherData, false},
		"other ranks":                       {three, [][]float64{{4.9, 4.8}, {5.3, 5.2}}, shorter, false},
		"its patience ran out at that rank": {three, [][]float64{{4.9, 4.8, 4.7}, {4.92, 5.3, 5.3}}, patient(2), false},
		"the leader has ended":              {three, [][]float64{{4.9, 4.9, 4.9}, {5.7, 5.69, 5.65, 5.6}}, patient(2), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := racing(t, tt.seeds, tt.losses...)
			if tt.change != nil {
				tt.change(&s)
			}
			v := sweep.Conclude(s).Verdicts
			if got := v[1].State == plateau.StateOutraced; got != tt.out {
				t.Errorf("state %s, reason %+v", v[1].State, v[1].Reason)
			}
			if v[0].State == plateau.StateOutraced {
				t.Errorf("the leader is outraced: %+v", v[0].Reason)
			}
		})
	}
}

func noRace(s *sweep.Snapshot)     { s.Sweep.Race = false }
func screened(s *sweep.Snapshot)   { s.Sweep.Strategy = sweep.StrategyScreen }
func otherModel(s *sweep.Snapshot) { s.Ladders[1].Model.Fingerprint = "another" }
func otherData(s *sweep.Snapshot)  { s.Ladders[1].Corpus.Fingerprint = "another" }
func shorter(s *sweep.Snapshot)    { s.Ladders[1].Rungs = s.Ladders[1].Rungs[:4] }

func patient(n int) func(*sweep.Snapshot) {
	return func(s *sweep.Snapshot) { s.Sweep.Rule.Patience = n }
}

// TestRaceSays: the verdict names the leader, the ranks, the gap and what is left of it; the ladder keeps the rank it had come to.
func TestRaceSays(t *testing.T) {
	t.Parallel()
	s := racing(t, []int64{0, 1, 2}, []float64{5.3, 5.2}, []float64{4.9, 4.8})
	v := sweep.Conclude(s).Verdicts[0]
	f := v.Reason
	if v.State != plateau.StateOutraced || v.RecommendedRank != 2 || f.Count != 2 || f.Name != "alpha=32" || f.Of != 16 ||
		!slices.Equal(f.Ranks, []int{1, 2}) || f.Value != 0.95 || f.Then == nil {
		t.Fatalf("%s, rank %d, %+v", v.State, v.RecommendedRank, f)
	}
	if f.Values[0] < 0.39 || f.Values[0] > 0.41 || *f.Gain.Lo > f.Gain.Mean || *f.Gain.Lo <= v.MinGain {
		t.Errorf("behind by %v, %v of it left, %v at least", f.Values, f.Gain.Mean, *f.Gain.Lo)
	}
	if d := sweep.Decide(s, nil, sweep.Capacity{Jobs: 8}); !slices.Equal(names(s, d.Start), []string{"32/4/0#1", "32/4/1#1", "32/4/2#1"}) {
		t.Errorf("starts %v", names(s, d.Start))
	}
}

// TestRaceHolds: no rank begins before all cells that race have finished the one below, but for the second; time may run out meanwhile.
func TestRaceHolds(t *testing.T) {
	t.Parallel()
	s := racing(t, []int64{0, 1}, []float64{4.9, 4.8}, []float64{4.9}, nil)
	d := sweep.Decide(s, nil, sweep.Capacity{Jobs: 8})
	if got := names(s, d.Start); !slices.Equal(got, []string{"32/2/0#1", "32/2/1#1", "48/1/0#1", "48/1/1#1"}) || d.Done {
		t.Errorf("starts %v, done %v", got, d.Done)
	}
	if f := d.Verdicts[0].Reason; d.Verdicts[0].State != plateau.StateRunning || f.Code != plateau.ReasonHeld || f.Ranks[0] != 2 {
		t.Errorf("%s: %+v", d.Verdicts[0].State, f)
	}
	s.Sweep.Limits.Time, s.Sweep.Elapsed = time.Hour, time.Hour
	if d := sweep.Decide(s, nil, sweep.Capacity{Jobs: 8}); !d.Done || d.Verdicts[0].State != plateau.StateTimeLimited {
		t.Errorf("time is up: %s, done %v", d.Verdicts[0].State, d.Done)
	}
}

// TestRaceIgnoresDivergence: losses of a cell that diverged are no sign of what its higher ranks would do.
func TestRaceIgnoresDivergence(t *testing.T) {
	t.Parallel()
	s := racing(t, []int64{0, 1, 2}, nil, []float64{4.9, 4.8})
	for _, rank := range []int{1, 2} {
		trained(&s, rank, course{start: 5.05, best: 5.3, last: 6})
	}
	if v := sweep.Conclude(s).Verdicts[0]; v.State != plateau.StateRunning || !slices.Equal(v.DivergedRanks, []int{1, 2}) {
		t.Errorf("%s, diverged at %v", v.State, v.DivergedRanks)
	}
}

// TestRaceSafeAndOrderFree: no order of events leads to another verdict, to other trials, or beyond the rank where a cell is out.
func TestRaceSafeAndOrderFree(t *testing.T) {
	t.Parallel()
	outraced := 0
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(t, rt)
		w.snapshot.Sweep.Race = true
		for l := range w.snapshot.Ladders {
			w.worsen(l, rapid.SampledFrom([]float64{0, 0.1, 0.4}).Draw(rt, "behind"))
		}
		first, second := w.work(rt, "first order"), w.work(rt, "second order")
		for i, v := range checkSame(rt, first, second) {
			if a, b := neededRanks(first, i, v), neededRanks(second, i, v); !slices.Equal(a, b) {
				rt.Fatalf("ladder %d trained ranks %v in one order and %v in another", i, a, b)
			}
			if v.State != plateau.StateOutraced {
				continue
			}
			outraced++
			for _, r := range first.Ladders[i].Rungs {
				if r.Rank > v.Reason.Ranks[1] && !shared(first, i) && slices.ContainsFunc(r.Trials, begun) {
					rt.Fatalf("ladder %d is out at rank %d, but rank %d was trained", i, v.Reason.Ranks[1], r.Rank)
				}
			}
		}
	})
	if outraced == 0 {
		t.Error("no cell was outraced")
	}
}

// neededRanks are the trained ranks that a report shows: others may have been trained ahead, or not.
func neededRanks(s sweep.Snapshot, ladder int, v plateau.Verdict) []int {
	return trainedRanks(s.Ladders[ladder].Needed(v, s.Sweep))
}

func begun(f sweep.TrialFacts) bool { return len(f.Attempts) > 0 }

// shared reports whether another ladder has the same trials.
func shared(s sweep.Snapshot, ladder int) bool {
	for i, l := range s.Ladders {
		if i != ladder && l.Rungs[0].Trials[0].Trial.ID == s.Ladders[ladder].Rungs[0].Trials[0].Trial.ID {
			return true
		}
	}
	return false
}

// worsen adds to the losses that a ladder's trials will have.
func (w world) worsen(ladder int, by float64) {
	for _, r := range w.snapshot.Ladders[ladder].Rungs {
		for _, f := range r.Trials {
			if fate := w.fate[f.Trial.ID]; fate.State == trial.OutcomeDone {
				w.fate[f.Trial.ID] = done(*fate.ValLoss + by)
			}
		}
	}
}
