package sweep_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// bench is a registered sweep on a store in memory with workers in virtual time. Use it inside synctest.
type bench struct {
	store    *sweeptest.MemStore
	exec     *sweeptest.FakeExecutor
	capacity sweep.Capacity
	id       int64
	ranks    []int // of every ladder
}

// trainer makes the losses of a ladder that flattens at rank 4, a minute of training per trial.
func trainer() sweeptest.Trainer {
	return sweeptest.Trainer{Boot: 2 * time.Second, StepTime: 15 * time.Second, Loss: func(t trial.Trial) float64 {
		means := map[int]float64{1: 4.8, 2: 4.7, 4: 4.6, 8: 4.599, 16: 4.598, 32: 4.597}
		m := means[t.Spec.LoRA.Rank]
		return m + 0.03*float64(t.Spec.Seed) + 0.0002*float64(t.Spec.Seed*t.Spec.Seed)*m
	}}
}

func newBench(t *testing.T, tr sweeptest.Trainer, change func(*sweep.Info)) *bench {
	t.Helper()
	return newBenchOf(t, []int{1, 2, 4, 8, 16, 32}, tr, change)
}

// newBenchOf is newBench with ladders of other ranks.
func newBenchOf(t *testing.T, ranks []int, tr sweeptest.Trainer, change func(*sweep.Info)) *bench {
	t.Helper()
	b := &bench{exec: &sweeptest.FakeExecutor{Script: tr.Script}, capacity: sweep.Capacity{Jobs: 2}, ranks: ranks}
	b.newStore(t, change)
	return b
}

// newStore registers the sweep in an empty store: what is left after a database is lost.
func (b *bench) newStore(t *testing.T, change func(*sweep.Info)) {
	t.Helper()
	b.store = &sweeptest.MemStore{}
	b.id = b.register(t, "test", change)
}

// register adds a sweep of the same trials to the store.
func (b *bench) register(t *testing.T, name string, change func(*sweep.Info)) int64 {
	t.Helper()
	info := sweeptest.Info(name, 0, 1, 2)
	if change != nil {
		change(&info)
	}
	id, err := b.store.CreateSweep(t.Context(), info)
	if err != nil {
		t.Fatal(err)
	}
	r := sweeptest.Registration([]float64{16, 32}, b.ranks, []int64{0, 1, 2})
	if err := b.store.Register(t.Context(), id, r); err != nil {
		t.Fatal(err)
	}
	return id
}

// run is one coordinator's life on this bench.
func (b *bench) run(ctx context.Context, t *testing.T, change func(*sweep.Scheduler)) (sweep.Snapshot, error) {
	t.Helper()
	clock := sweep.NewClock()
	session, err := b.store.StartSession(ctx, b.id, clock.Now(), sweep.Coordinator{Host: "here", PID: 42})
	if err != nil {
		t.Fatal(err)
	}
	s := &sweep.Scheduler{Store: b.store, Exec: b.exec, Capacity: b.capacity, Log: slog.New(slog.DiscardHandler), Clock: clock}
	if change != nil {
		change(s)
	}
	return s.Run(ctx, sweep.Snapshot{Sweep: sweep.Info{ID: b.id}}, session)
}

// results keeps what a report must show alike after any interruption: no attempts, times or sizes.
func results(s sweep.Snapshot) []any {
	var out []any
	for i, l := range s.Ladders {
		out = append(out, sweep.Conclude(s).Verdicts[i])
		for _, r := range append(slices.Clone(l.Rungs), sweep.Rung{Trials: l.Scouts}) {
			for _, f := range r.Trials {
				out = append(out, f.Trial.ID, f.Final(), f.Evaluations, f.LastStep, f.Screened)
			}
		}
	}
	return out
}

func wantResults(t *testing.T, want, got sweep.Snapshot) {
	t.Helper()
	if diff := cmp.Diff(results(want), results(got), cmpopts.IgnoreFields(trial.Outcome{}, "Error")); diff != "" {
		t.Errorf("results (-uninterrupted +this):\n%s", diff)
	}
}

// uninterrupted is what the bench's sweep comes to when nothing goes wrong.
func uninterrupted(t *testing.T, tr sweeptest.Trainer) sweep.Snapshot {
	t.Helper()
	b := newBench(t, tr, nil)
	s, err := b.run(t.Context(), t, nil)
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	return s
}

func TestSchedulerClimbsToThePlateau(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, trainer(), nil)
		seen, ahead, awaited := 0, 0, 0
		s, err := b.run(t.Context(), t, func(s *sweep.Scheduler) {
			s.Progress = func(p sweep.Progress) {
				for _, a := range p.Live {
					if a.Step > 0 && (!a.Up || a.Predicted == 0) {
						t.Errorf("attempt that trains: %+v", a)
					}
					if a.Ahead {
						ahead++
					} else {
						awaited++
					}
				}
				for _, a := range p.Gone {
					if a.Outcome.State == trial.OutcomeDone && a.Memory.PeakHostBytes == nil {
						t.Errorf("attempt that is done without a peak: %+v", a)
					}
				}
				for _, a := range append(p.Live, p.Gone...) {
					if a.Step > a.Steps || a.Step > 0 && a.TrainLoss == nil && a.ResumedAt == 0 {
						t.Errorf("live attempt %+v", a)
					}
					seen = max(seen, a.Step)
				}
			}
		})
		if err != nil {
			t.Fatalf("Run: %v", err)
		}
		if ahead == 0 || awaited == 0 {
			t.Errorf("of the attempts shown %d trained ahead and %d were waited for", ahead, awaited)
		}
		for i, l := range s.Ladders {
			v := sweep.Conclude(s).Verdicts[i]
			if v.State != plateau.StatePlateau || v.RecommendedRank != 4 || len(v.Rungs) != 5 {
				t.Errorf("ladder %d: %s, rank %d after %d rungs (%s)", i, v.State, v.RecommendedRank, len(v.Rungs), prose.Reason(v))
			}
			if diff := cmp.Diff([]plateau.Verdict{v}, b.store.Verdicts(l.ID)); diff != "" {
				t.Errorf("recorded verdicts (-want +got):\n%s", diff)
			}
		}
		if n := len(b.exec.Starts()); n != 2*5*3 || b.exec.Most() != 2 {
			t.Errorf("%d starts, at most %d at once, want 30 and 2", n, b.exec.Most())
		}
		if seen != sweeptest.Steps {
			t.Errorf("progress showed step %d at most", seen)
		}
		// 30 trials of 62 s, two at once but for the last ladder's third seeds
		if d := s.Sweep.Elapsed; d < 15*time.Minute || d > 18*time.Minute {
			t.Errorf("elapsed %v", d)
		}
	})
}

// TestSchedulerTrainsNothingTwice: after a crash of everything in the middle, finished trials are not started again and
// interrupted ones continue from their checkpoints.
func TestSchedulerTrainsNothingTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, trainer(), nil)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second) // one pair of trials is done, the next at step 2
		defer cancel()
		if _, err := b.run(ctx, t, nil); !errors.Is(err, sweep.ErrInterrupted) {
			t.Fatalf("Run = %v, want ErrInterrupted", err)
		}
		before := b.exec.Starts()
		got, err := b.run(t.Context(), t, nil)
		if err != nil {
			t.Fatal(err)
		}
		wantResults(t, uninterrupted(t, trainer()), got)
		again := b.exec.Starts()[len(before):]
		if len(before) != 4 || len(again) != 28 {
			t.Errorf("%d starts before and %d after, want 4 and 28", len(before), len(again))
		}
		for i, a := range again[:2] {
			if a.Attempt != trial.NewAttemptID(before[2+i].Trial.ID, 2) || len(a.Checkpoints) != 1 {
				t.Errorf("start %d after the interruption: %s with checkpoints %v", i, a.Attempt, a.Checkpoints)
			}
		}
	})
}

// TestSchedulerKill: workers that do not heed the first signal are killed by the second, again where the request was lost.
func TestSchedulerKill(t *testing.T) {
	t.Parallel()
	for lost, most := range map[bool]time.Duration{false: 110 * time.Second, true: 140 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, trainer(), nil)
			ctx, cancel := context.WithCancel(t.Context())
			kill := make(chan struct{})
			var exec sweep.Executor = &deafExecutor{b.exec}
			if lost {
				exec = newUnkilled(b.exec)
			}
			go func() {
				time.Sleep(100 * time.Second)
				cancel()
				time.Sleep(5 * time.Second)
				close(kill)
			}()
			began := time.Now()
			s, err := b.run(ctx, t, func(s *sweep.Scheduler) { s.Exec, s.Kill = exec, kill })
			if took := time.Since(began); !errors.Is(err, sweep.ErrInterrupted) || took > most {
				t.Errorf("lost %t: Run = %v after %v, want ErrInterrupted within %v", lost, err, took, most)
			}
			for _, f := range s.Ladders[0].Rungs[0].Trials {
				for _, a := range f.Attempts {
					if a.Outcome == nil || a.Outcome.State == trial.OutcomeCrashed {
						t.Errorf("attempt %s: %+v", a.ID, a.Outcome)
					}
				}
			}
		})
	}
}

// deafExecutor's workers ignore a request to stop.
type deafExecutor struct{ *sweeptest.FakeExecutor }

func (d *deafExecutor) Stop(ctx context.Context, id trial.AttemptID, kill bool) error {
	if !kill {
		return nil
	}
	return d.FakeExecutor.Stop(ctx, id, kill)
}

// TestSchedulerTimeLimit: the sweep ends as limits.time runs out, whenever the next heartbeat would be.
func TestSchedulerTimeLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const limit = 4*time.Minute + 56*time.Second
		b := newBench(t, trainer(), func(i *sweep.Info) { i.Limits.Time = limit })
		s, err := b.run(t.Context(), t, nil)
		if err != nil {
			t.Fatal(err)
		}
		if v := sweep.Conclude(s).Verdicts[0]; v.State != plateau.StateTimeLimited || v.RecommendedRank == 0 {
			t.Errorf("%s, rank %d (%s)", v.State, v.RecommendedRank, prose.Reason(v))
		}
		if s.Sweep.Elapsed < limit || s.Sweep.Elapsed > limit+time.Second {
			t.Errorf("elapsed %v with a limit of %v", s.Sweep.Elapsed, limit)
		}
		before := len(b.exec.Starts())
		if _, err := b.run(t.Context(), t, nil); err != nil || len(b.exec.Starts()) != before {
			t.Errorf("run again: %v, %d new starts", err, len(b.exec.Starts())-before)
		}
	})
}

// TestSchedulerTokenLimit: the sweep ends within a tick of the steps that spend its tokens, and goes on where it was once it has more.
func TestSchedulerTokenLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		whole := uninterrupted(t, trainer())
		whole.Sweep.Limits.Tokens = 1 << 60
		whole.CountTokens()
		limit := whole.Sweep.Tokens / 2
		b := newBench(t, trainer(), func(i *sweep.Info) { i.Limits.Tokens = limit })
		s, err := b.run(t.Context(), t, nil)
		if err != nil {
			t.Fatal(err)
		}
		if v := sweep.Conclude(s).Verdicts[0]; v.Reason.Code != plateau.ReasonTokens || v.RecommendedRank == 0 {
			t.Errorf("%s, rank %d (%s)", v.State, v.RecommendedRank, prose.Reason(v))
		}
		if s.Sweep.Tokens < limit || s.Sweep.Tokens > limit+limit/10 {
			t.Errorf("%d tokens with a limit of %d", s.Sweep.Tokens, limit)
		}
		before := len(b.exec.Starts())
		if _, err := b.run(t.Context(), t, nil); err != nil || len(b.exec.Starts()) != before {
			t.Errorf("run again: %v, %d new starts", err, len(b.exec.Starts())-before)
		}
	})
}

func TestSchedulerMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tr := trainer()
		tr.Peak = func(t trial.Trial) int64 { return 100 + int64(t.Spec.LoRA.Rank) }
		b := newBench(t, tr, func(i *sweep.Info) { i.Limits.Memory = 103 })
		b.capacity = sweep.Capacity{Jobs: 6, HostBytes: 310}
		s, err := b.run(t.Context(), t, nil)
		if err != nil {
			t.Fatal(err)
		}
		if v := sweep.Conclude(s).Verdicts[0]; v.State != plateau.StateMemoryLimited || v.RecommendedRank != 2 {
			t.Errorf("%s, rank %d (%s)", v.State, v.RecommendedRank, prose.Reason(v))
		}
		if b.exec.Most() != 3 {
			t.Errorf("%d workers at once, want the 3 that fit", b.exec.Most())
		}
		last := b.exec.Starts()[len(b.exec.Starts())-1]
		if last.MemoryLimit != 103 || last.Calibration == nil || last.Calibration.Rank != 2 || last.Calibration.PeakBytes != 102 {
			t.Errorf("assignment of rank 4: limit %d, calibration %+v", last.MemoryLimit, last.Calibration)
		}
	})
}

func TestSchedulerCrashingWorkers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tr := trainer()
		tr.Crash = func(a trial.Assignment) int { return 4 + 3*a.Attempt.Number() } // each attempt gets a little further
		b := newBench(t, tr, nil)
		got, err := b.run(t.Context(), t, nil)
		if err != nil {
			t.Fatal(err)
		}
		wantResults(t, uninterrupted(t, trainer()), got)
		if len(b.exec.Starts()) <= 30 {
			t.Errorf("%d starts: nothing crashed", len(b.exec.Starts()))
		}
	})
}

func TestSchedulerGivesUpOnATrial(t *testing.T) {
	t.Parallel()
	bad := sweeptest.Trial(16, 2, 1).ID
	for name, change := range map[string]func(*bench, *sweeptest.Trainer){
		"it crashes always": func(_ *bench, tr *sweeptest.Trainer) {
			tr.Crash = func(a trial.Assignment) int {
				if a.Trial.ID == bad {
					return 2
				}
				return 0
			}
		},
		"it never starts": func(b *bench, _ *sweeptest.Trainer) {
			b.exec.StartError = func(a trial.Assignment) error {
				if a.Trial.ID == bad {
					return errors.New("no such program")
				}
				return nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tr := trainer()
				b := newBench(t, tr, nil)
				change(b, &tr)
				b.exec.Script = tr.Script
				s, err := b.run(t.Context(), t, nil)
				if err != nil {
					t.Fatal(err)
				}
				if v := sweep.Conclude(s).Verdicts[0]; v.State != plateau.StateIncomplete || v.RecommendedRank != 1 {
					t.Errorf("ladder 0: %s, rank %d (%s)", v.State, v.RecommendedRank, prose.Reason(v))
				}
				if v := sweep.Conclude(s).Verdicts[1]; v.State != plateau.StatePlateau {
					t.Errorf("ladder 1: %s (%s)", v.State, prose.Reason(v))
				}
				want := map[string]int{"it crashes always": 5, "it never starts": 15}[name]
				if f := s.Ladders[0].Rungs[1].Trials[1]; len(f.Attempts) != want {
					t.Errorf("%d attempts, want %d", len(f.Attempts), want)
				}
			})
		})
	}
}

func TestSchedulerUnstable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tr := trainer()
		tr.Unstable = func(t trial.Trial) bool { return t.Spec.LoRA.Rank == 4 && t.Spec.Seed > 0 }
		s := uninterrupted(t, tr)
		if v := sweep.Conclude(s).Verdicts[0]; v.State != plateau.StateUnstable || v.RecommendedRank != 2 {
			t.Errorf("%s, rank %d (%s)", v.State, v.RecommendedRank, prose.Reason(v))
		}
	})
}

// TestSchedulerLosesTheLease: a coordinator whose sweep another one took over leaves at once, and leaves the workers alone.
func TestSchedulerLosesTheLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, trainer(), nil)
		go func() {
			time.Sleep(30 * time.Second)
			if _, err := b.store.StartSession(t.Context(), b.id, sweep.Instant{}, sweep.Coordinator{Host: "there", PID: 43}); err != nil {
				t.Error(err)
			}
		}()
		if _, err := b.run(t.Context(), t, nil); !errors.Is(err, sweep.ErrLocked) {
			t.Fatalf("Run = %v, want ErrLocked", err)
		}
		for _, a := range b.exec.Starts() {
			if p, err := b.exec.Probe(t.Context(), a.Attempt); err != nil || !p.Alive {
				t.Errorf("worker of %s: %+v, %v, want it alive", a.Attempt, p, err)
			}
		}
		got, err := b.run(t.Context(), t, nil)
		if err != nil {
			t.Fatal(err)
		}
		wantResults(t, uninterrupted(t, trainer()), got)
		if n := len(b.exec.Starts()); n != 30 {
			t.Errorf("%d starts, want 30: the successor adopts what runs", n)
		}
	})
}

// countingStore counts the reads of facts.
type countingStore struct {
	sweep.Store
	reads, appends int
}

func (c *countingStore) Refresh(ctx context.Context, s sweep.Snapshot, anew ...int) (sweep.Snapshot, error) {
	c.reads++
	return c.Store.Refresh(ctx, s, anew...)
}

func (c *countingStore) Append(ctx context.Context, news ...sweep.News) error {
	c.appends++
	return c.Store.Append(ctx, news...)
}

// TestSchedulerReadsOnlyWhenItMatters: points and evaluations change no decision, so they cost no read of the store.
func TestSchedulerReadsOnlyWhenItMatters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, trainer(), nil)
		c := &countingStore{}
		if _, err := b.run(t.Context(), t, func(s *sweep.Scheduler) { c.Store, s.Store = s.Store, c }); err != nil {
			t.Fatal(err)
		}
		// 30 trials: one read when each is compiled, when it ends, and when its process has gone; four for start and end.
		if c.reads > 3*30+4 || c.appends <= c.reads {
			t.Errorf("%d reads of all facts, %d appends", c.reads, c.appends)
		}
	})
}

func TestSchedulerNeedsJobs(t *testing.T) {
	t.Parallel()
	if _, err := (&sweep.Scheduler{Clock: sweep.NewClock()}).Run(t.Context(), sweep.Snapshot{Sweep: sweep.Info{ID: 1}}, 1); err == nil {
		t.Error("Run without jobs succeeded")
	}
}

// TestSchedulerSharesTrials: two coordinators of two sweeps with the same trials train each once between them.
func TestSchedulerSharesTrials(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, trainer(), nil)
		other := &bench{store: b.store, exec: b.exec, capacity: b.capacity}
		id, err := b.store.CreateSweep(t.Context(), sweeptest.Info("other", 0, 1, 2))
		if err != nil {
			t.Fatal(err)
		}
		other.id = id
		if err := b.store.Register(t.Context(), id, sweeptest.Registration([]float64{32}, []int{1, 2, 4, 8, 16, 32},
			[]int64{0, 1, 2})); err != nil {
			t.Fatal(err)
		}
		finished := make(chan error)
		go func() {
			_, err := other.run(t.Context(), t, nil)
			finished <- err
		}()
		got, err := b.run(t.Context(), t, nil)
		if err := errors.Join(err, <-finished); err != nil {
			t.Fatal(err)
		}
		wantResults(t, uninterrupted(t, trainer()), got)
		var trials []trial.ID
		for _, a := range b.exec.Starts() {
			trials = append(trials, a.Trial.ID)
		}
		slices.Sort(trials)
		if n := len(slices.Compact(slices.Clone(trials))); n != len(trials) {
			t.Errorf("%d starts of %d trials", len(trials), n)
		}
	})
}
