package sweep_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// doubtful is a trainer of ladders that are flat from rank 2 on but for rank 4, whose gains over the grid's seeds 0, 1 and 2
// are .022, .003 and −.022: its stop at rank 8 is likely and hangs on rank 4 alone. Seeds from 3 on show no gain.
func doubtful() sweeptest.Trainer {
	tr := trainer()
	tr.Loss = func(t trial.Trial) float64 {
		seed, rank := t.Spec.Seed, t.Spec.LoRA.Rank
		loss := map[int]float64{
			1: 4.8, 2: 4.7, 4: 4.7, 8: 4.699, 16: 4.6985,
			32: 4.6985,
		}[rank] + 0.03*float64(seed) + 0.0005*float64((seed*int64(rank))%3)
		if gains := []float64{0.022, 0.003, -0.022}; rank == 4 && seed < 3 {
			loss -= gains[seed]
		}
		return loss
	}
	return tr
}

// confirmed runs the bench's sweep to its end, and then again as confirmed up to so many seeds per rank.
func confirmed(t *testing.T, b *bench, maxSeeds int) sweep.Snapshot {
	t.Helper()
	if _, err := b.run(t.Context(), t, nil); err != nil {
		t.Fatal(err)
	}
	if err := b.store.Confirm(t.Context(), b.id, maxSeeds, time.Now()); err != nil {
		t.Fatal(err)
	}
	s, err := b.run(t.Context(), t, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// extraSeeds lists the extra trials of a ladder as rank and seed.
func extraSeeds(l sweep.Ladder) [][2]int64 {
	var out [][2]int64
	for _, r := range l.Rungs {
		for _, f := range r.Trials {
			if f.Extra {
				out = append(out, [2]int64{int64(r.Rank), f.Trial.Seed})
			}
		}
	}
	return out
}

func TestSchedulerConfirms(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, doubtful(), nil)
		s, err := b.run(t.Context(), t, nil)
		if err != nil {
			t.Fatal(err)
		}
		if v := sweep.Conclude(s).Verdicts[0]; v.State != plateau.StateLikelyPlateau || v.RecommendedRank != 2 ||
			len(extraSeeds(s.Ladders[0])) > 0 {
			t.Fatalf("before: %s, rank %d (%s)", v.State, v.RecommendedRank, prose.Reason(v))
		}
		before := len(b.exec.Starts())
		s = confirmed(t, b, 6)
		want := [][2]int64{{2, 3}, {2, 4}, {2, 5}, {4, 3}, {4, 4}, {4, 5}}
		for i, l := range s.Ladders {
			v := sweep.Conclude(s).Verdicts[i]
			if v.State != plateau.StatePlateau || v.RecommendedRank != 2 || v.Draw != nil || len(v.Rungs[2].Seeds) != 6 {
				t.Errorf("ladder %d: %s, rank %d (%s)", i, v.State, v.RecommendedRank, prose.Reason(v))
			}
			if got := extraSeeds(l); !slices.Equal(got, want) {
				t.Errorf("ladder %d: extra trials %v, want %v", i, got, want)
			}
			if recorded := b.store.Verdicts(l.ID); len(recorded) != 2 || recorded[1].State != plateau.StatePlateau {
				t.Errorf("ladder %d: %d verdicts recorded", i, len(recorded))
			}
		}
		if n := len(b.exec.Starts()) - before; n != 12 {
			t.Errorf("%d trials trained to confirm, want 12", n)
		}
		if _, err := b.run(t.Context(), t, nil); err != nil || len(b.exec.Starts()) != before+12 {
			t.Errorf("run again: %v, %d new starts", err, len(b.exec.Starts())-before-12)
		}
	})
}

// doubtfulEnd is a trainer of ladders that end at rank 4, one of two ranks without a gain that patience asks for: probably a
// plateau at rank 2, though not certainly with the grid's seeds. Seeds from 3 on show that rank 4 is worse.
func doubtfulEnd() sweeptest.Trainer {
	tr := trainer()
	tr.Loss = func(t trial.Trial) float64 {
		seed, rank := t.Spec.Seed, t.Spec.LoRA.Rank
		if grid := map[int][]float64{1: {4.801, 4.799, 4.8}, 2: {4.72, 4.68, 4.7}, 4: {4.707, 4.753, 4.73}}; seed < 3 {
			return grid[rank][seed]
		}
		return 4.7 + 0.015*float64(rank) + 0.01*float64(seed)
	}
	return tr
}

// TestSchedulerConfirmsAtTheEnd: a confirmation trains further seeds where the grid ended on a likely plateau, once, and leaves
// it likely, with a probability that rests on them too.
func TestSchedulerConfirmsAtTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBenchOf(t, []int{1, 2, 4}, doubtfulEnd(), nil)
		s, err := b.run(t.Context(), t, nil)
		if err != nil {
			t.Fatal(err)
		}
		before, starts := sweep.Conclude(s).Verdicts[0], len(b.exec.Starts())
		if before.State != plateau.StateLikelyPlateau || before.RecommendedRank != 2 || starts != 18 {
			t.Fatalf("before: %s, rank %d (%s) after %d starts", before.State, before.RecommendedRank, prose.Reason(before), starts)
		}
		s = confirmed(t, b, 6)
		want := [][2]int64{{2, 3}, {2, 4}, {2, 5}, {4, 3}, {4, 4}, {4, 5}}
		for i, l := range s.Ladders {
			v := sweep.Conclude(s).Verdicts[i]
			if v.State != plateau.StateLikelyPlateau || v.RecommendedRank != 2 || v.Draw != nil || *v.Probability <= *before.Probability ||
				len(v.Rungs[2].Seeds) != 6 {
				t.Errorf("ladder %d: %s, rank %d, draw %v (%s)", i, v.State, v.RecommendedRank, v.Draw, prose.Reason(v))
			}
			if got := extraSeeds(l); !slices.Equal(got, want) {
				t.Errorf("ladder %d: extra trials %v, want %v", i, got, want)
			}
		}
		if _, err := b.run(t.Context(), t, nil); err != nil || len(b.exec.Starts()) != starts+12 {
			t.Errorf("run again: %v, %d starts, want %d", err, len(b.exec.Starts()), starts+12)
		}
	})
}

// TestSchedulerDraws: stop: certified draws by itself, a ladder that the draw leaves undecided is reported so, and a failed
// extra seed breaks nothing.
func TestSchedulerDraws(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*sweep.Info, *sweeptest.Trainer)
		state  plateau.State
		seeds  int // that rank 4 is compared over
	}{
		"certified": {func(i *sweep.Info, _ *sweeptest.Trainer) { i.Rule.Stop = plateau.StopCertified }, plateau.StatePlateau, 6},
		"confirmed, one seed more is not enough": {
			func(i *sweep.Info, _ *sweeptest.Trainer) { i.Confirm(4) }, plateau.StateLikelyPlateau, 4,
		},
		"an extra seed is unstable": {func(i *sweep.Info, tr *sweeptest.Trainer) {
			i.Confirm(7)
			tr.Unstable = func(t trial.Trial) bool { return t.Spec.Seed == 4 }
		}, plateau.StatePlateau, 6},
		"an extra seed crashes always": {func(i *sweep.Info, tr *sweeptest.Trainer) {
			i.Confirm(7)
			tr.Crash = func(a trial.Assignment) int {
				if a.Trial.Spec.Seed == 5 && a.Trial.Spec.LoRA.Rank == 4 {
					return 2
				}
				return 0
			}
		}, plateau.StatePlateau, 6},
		"no extra seed gives a loss": {func(i *sweep.Info, tr *sweeptest.Trainer) {
			i.Confirm(6)
			tr.Peak = func(t trial.Trial) int64 { return 100 + t.Spec.Seed }
			i.Limits.Memory = 102
		}, plateau.StateLikelyPlateau, 3},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tr := doubtful()
				b := newBench(t, tr, func(i *sweep.Info) { tt.change(i, &tr) })
				b.exec.Script = tr.Script
				s, err := b.run(t.Context(), t, nil)
				if err != nil {
					t.Fatal(err)
				}
				v := sweep.Conclude(s).Verdicts[0]
				if v.State != tt.state || v.RecommendedRank != 2 || v.Draw != nil {
					t.Errorf("%s, rank %d, draw %v (%s)", v.State, v.RecommendedRank, v.Draw, prose.Reason(v))
				}
				if n := len(v.Rungs[2].Seeds); n != tt.seeds {
					t.Errorf("rank 4 is compared over %d seeds, want %d", n, tt.seeds)
				}
			})
		})
	}
}

// TestDrawOutOfTime: where the time ends before the extra seeds are trained, the verdict stays the one of the grid's seeds,
// and says what it lacks.
func TestDrawOutOfTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, doubtful(), func(i *sweep.Info) { i.Confirm(6); i.Limits.Time = 10 * time.Minute })
		s, err := b.run(t.Context(), t, nil)
		if err != nil {
			t.Fatal(err)
		}
		v := sweep.Conclude(s).Verdicts[0]
		if v.State != plateau.StateLikelyPlateau || v.RecommendedRank != 2 || !strings.Contains(strings.Join(prose.Advice(v), "\n"),
			"limits.time (10m) ran out before the extra seeds of ranks 2 and 4") {
			t.Errorf("%s, rank %d, advice %q", v.State, v.RecommendedRank, prose.Advice(v))
		}
		if d := sweep.Decide(s, nil, b.capacity); !d.Done || len(d.Register)+len(d.Start) > 0 {
			t.Errorf("it is not done: %+v", d)
		}
	})
}

func (f *fragileStore) AddTrials(ctx context.Context, ladder int64, trials []sweep.ExtraTrial) error {
	return f.crash(func() error { return f.Store.AddTrials(ctx, ladder, trials) })
}

// TestConfirmCrashesAnywhere ends the coordinator of a confirmation at each of its writes and reads in turn; sometimes the
// database is lost too, and the wish is repeated. The results must be those of an uninterrupted confirmation, and no trial
// is trained twice.
func TestConfirmCrashesAnywhere(t *testing.T) {
	t.Parallel()
	whole := []int{1, 2, 4, 8, 16, 32}
	for name, tt := range map[string]struct {
		ranks   []int
		trainer sweeptest.Trainer
		lost    bool
	}{
		"coordinator":                          {whole, doubtful(), false},
		"coordinator and database":             {whole, doubtful(), true},
		"coordinator, at the grid's end":       {whole[:3], doubtfulEnd(), false},
		"coordinator and database, at its end": {whole[:3], doubtfulEnd(), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				whole := newBenchOf(t, tt.ranks, tt.trainer, nil)
				want := confirmed(t, whole, 6)
				for at := 1; ; at += 29 {
					b := newBenchOf(t, tt.ranks, tt.trainer, func(i *sweep.Info) { i.Confirm(6) })
					fragile := &fragileStore{at: 250 + at, after: at%2 == 0} // the first 250 calls climb
					_, err := b.run(t.Context(), t, func(s *sweep.Scheduler) { fragile.Store, s.Store = s.Store, fragile })
					if err == nil {
						if at < 50 {
							t.Fatalf("the run made only %d calls", fragile.calls)
						}
						return
					}
					if !errors.Is(err, errCrash) {
						t.Fatalf("call %d: Run = %v", at, err)
					}
					if tt.lost {
						b.newStore(t, func(i *sweep.Info) { i.Confirm(6) })
					}
					time.Sleep(time.Duration(at%90) * time.Second)
					got, err := b.run(t.Context(), t, nil)
					if err != nil {
						t.Fatalf("after a crash at call %d: Run = %v", at, err)
					}
					wantResults(t, want, got)
					if n := len(b.exec.Starts()); n != len(whole.exec.Starts()) {
						t.Errorf("after a crash at call %d: %d starts, want %d", at, n, len(whole.exec.Starts()))
					}
				}
			})
		})
	}
}
