package sweep_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/sweep/trial/cause"
)

// crashed is an attempt that got as far as a checkpoint, -1 for none.
func crashed(c cause.Cause, checkpoint int) sweep.AttemptFacts {
	return sweep.AttemptFacts{CheckpointStep: checkpoint, Outcome: &trial.Outcome{State: trial.OutcomeCrashed, Cause: c}}
}

func times(n int, a sweep.AttemptFacts) []sweep.AttemptFacts {
	return slices.Repeat([]sweep.AttemptFacts{a}, n)
}

// TestStateByCause: what a trial's attempts ended for says whether it goes on.
func TestStateByCause(t *testing.T) {
	t.Parallel()
	halved := crashed(cause.Memory, -1)
	halved.Outcome.MicroBatch = 4
	for name, test := range map[string]struct {
		attempts []sweep.AttemptFacts
		want     sweep.TrialState
	}{
		"a full disk may stay so for a while": {times(14, crashed(cause.Disk, -1)), sweep.TrialCrashed},
		"but not for ever":                    {times(15, crashed(cause.Disk, -1)), sweep.TrialFailed},
		"a crash may be the trial's":          {times(4, crashed(cause.Crash, -1)), sweep.TrialCrashed},
		"and is soon":                         {times(5, crashed(cause.Crash, -1)), sweep.TrialFailed},
		"those of an earlier version too":     {times(5, crashed(cause.None, -1)), sweep.TrialFailed},
		"each is counted for itself": {
			slices.Concat(times(14, crashed(cause.Killed, -1)), times(4, crashed(cause.Crash, -1))), sweep.TrialCrashed,
		},
		"whatever comes last": {
			slices.Concat(times(5, crashed(cause.Crash, -1)), times(1, crashed(cause.Killed, -1))), sweep.TrialFailed,
		},
		"who gets further begins anew": {
			slices.Concat(times(14, crashed(cause.Killed, -1)), times(1, crashed(cause.Killed, 2)), times(14, crashed(cause.Killed, 2))),
			sweep.TrialCrashed,
		},
		"out of what was asked for": {times(1, crashed(cause.MemoryAsked, -1)), sweep.TrialCrashed},
		"out of memory in company":  {times(1, crashed(cause.MemoryShared, -1)), sweep.TrialCrashed},
		"out of memory alone":       {times(1, crashed(cause.Memory, -1)), sweep.TrialCrashed},
		"and again with half a batch": {
			slices.Concat(times(1, crashed(cause.Memory, -1)), []sweep.AttemptFacts{halved}), sweep.TrialOverMemory,
		},
		"half a batch met another end": {
			slices.Concat(times(1, crashed(cause.Memory, -1)), times(1, crashed(cause.Killed, -1))), sweep.TrialCrashed,
		},
	} {
		f := sweep.TrialFacts{Trial: sweeptest.Trial(16, 1, 0).Brief(), Attempts: test.attempts}
		if got := f.State(); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// TestOneSequenceHasNoHalf: a batch of one cannot be cut.
func TestOneSequenceHasNoHalf(t *testing.T) {
	t.Parallel()
	f := sweep.TrialFacts{Trial: sweeptest.Trial(16, 1, 0).Brief(), Attempts: times(1, crashed(cause.Memory, -1))}
	shared := *f.Trial.Shared
	shared.Spec.Train.BatchSize = 1
	f.Trial.Shared = &shared
	if got := f.State(); got != sweep.TrialOverMemory {
		t.Errorf("a trial of single sequences that ran out of memory is %s", got)
	}
}

// TestRest: the first attempt follows at once, the others after rests that grow to a bound; whoever gets further rests no more.
func TestRest(t *testing.T) {
	t.Parallel()
	f := sweep.TrialFacts{Trial: sweeptest.Trial(16, 1, 0).Brief()}
	var all []time.Duration
	var sum time.Duration
	for f.State() != sweep.TrialFailed {
		f.Attempts = append(f.Attempts, crashed(cause.Disk, -1))
		all = append(all, f.Rest())
		if f.State() != sweep.TrialFailed {
			sum += f.Rest()
		}
	}
	if !slices.IsSorted(all) || all[0] != 0 || all[1] != time.Second || all[len(all)-1] != 2*time.Minute {
		t.Errorf("rests %v", all)
	}
	if sum < 14*time.Minute {
		t.Errorf("a trial fails %v after its first attempt, want at least the 14 minutes that the help promises", sum)
	}
	f.Attempts = append(f.Attempts, crashed(cause.Disk, 2))
	if got := f.Rest(); got != 0 {
		t.Errorf("a trial that got further rests %v", got)
	}
}

// TestRetriesEnd: whatever attempts end for, a trial that gets no further is over after a bounded number of them.
func TestRetriesEnd(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := sweep.TrialFacts{Trial: sweeptest.Trial(16, 1, 0).Brief()}
		for !f.State().Over() {
			a := crashed(rapid.SampledFrom(everyCause()).Draw(t, "cause"), -1)
			if slices.ContainsFunc(f.Attempts, func(a sweep.AttemptFacts) bool { return a.Outcome.Cause == cause.Memory }) {
				a.Outcome.MicroBatch = 4 // as the next attempt is started then
			}
			f.Attempts = append(f.Attempts, a)
			if len(f.Attempts) > 15+5+1 {
				t.Fatalf("after %d attempts it is %s", len(f.Attempts), f.State())
			}
		}
	})
}

func everyCause() []cause.Cause {
	return []cause.Cause{
		cause.None, cause.Killed, cause.Lost, cause.Disk, cause.NoProcess, cause.Hung, cause.Preempted, cause.NodeFailure, cause.Memory,
		cause.MemoryShared, cause.MemoryAsked, cause.NaN, cause.Time, cause.Data, cause.Code, cause.Crash,
	}
}

// TestDecideRetries: in whatever order attempts end for whatever causes, no trial starts while it rests, none runs beside one that ran out
// of memory, and the sweep ends.
func TestDecideRetries(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := registered(t, []float64{16, 32}, []int{1, 2}, 0, 1, 2)
		c := sweep.Capacity{Jobs: rapid.IntRange(1, 4).Draw(rt, "jobs")}
		alone := map[trial.ID]bool{}
		var live []trial.AttemptID
		for round := 0; ; round++ {
			c.Resting = map[trial.ID]bool{}
			s.Each(func(_ *sweep.Ladder, _ int, f *sweep.TrialFacts) {
				if f.Rest() > 0 && rapid.Bool().Draw(rt, "rests") {
					c.Resting[f.Trial.ID] = true
				}
			})
			d := sweep.Decide(s, live, c)
			if d.Done {
				return
			}
			for _, l := range d.Start {
				if c.Resting[l.Trial] {
					rt.Fatalf("round %d: trial %s starts while it rests", round, l.Trial)
				}
				if alone[l.Trial] && !l.Alone {
					rt.Fatalf("round %d: trial %s ran out of memory and starts in company", round, l.Trial)
				}
				live = append(live, launched(&s, l.Trial))
			}
			for _, id := range live {
				if alone[id.Trial()] && len(live) > 1 {
					rt.Fatalf("round %d: %s runs beside others", round, id)
				}
			}
			if len(live) == 0 {
				if len(c.Resting) == 0 {
					rt.Fatalf("round %d: nothing runs, rests or starts", round)
				}
				continue
			}
			i := rapid.IntRange(0, len(live)-1).Draw(rt, "which")
			id := live[i]
			live = slices.Delete(live, i, i+1)
			o := done(4.5)
			if rapid.IntRange(0, 2).Draw(rt, "fate") > 0 {
				o = trial.Outcome{State: trial.OutcomeCrashed, Cause: rapid.SampledFrom(everyCause()).Draw(rt, "cause")}
				alone[id.Trial()] = alone[id.Trial()] || o.Cause == cause.Memory || o.Cause == cause.MemoryShared
			}
			conclude(&s, id.Trial(), o)
		}
	})
}

// TestSchedulerRests: a disk that is full for a while ends no trial, however quickly attempts fail; between them the trial rests.
func TestSchedulerRests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, trainer(), nil)
		room := time.Now().Add(5 * time.Minute)
		b.exec.StartError = func(trial.Assignment) error {
			if time.Now().Before(room) {
				return fmt.Errorf("mkdir trials: %w", syscall.ENOSPC)
			}
			return nil
		}
		s, err := b.run(t.Context(), t, nil)
		if err != nil {
			t.Fatal(err)
		}
		first := s.Ladders[0].Rungs[0].Trials[0]
		if n := len(first.Attempts); n < 8 || n > 12 {
			t.Errorf("%d attempts, want about one for each doubling of the rest", n)
		}
		for i, a := range first.Attempts[:len(first.Attempts)-1] {
			if a.Outcome.Cause != cause.Disk {
				t.Errorf("attempt %d: %+v", a.Number, a.Outcome)
			}
			before := sweep.TrialFacts{Trial: first.Trial, Attempts: first.Attempts[:i+1]}
			if next := first.Attempts[i+1].Intended; next.Sub(a.LastAt) < before.Rest() {
				t.Errorf("attempt %d begins %v after the one before, want %v", a.Number+1, next.Sub(a.LastAt), before.Rest())
			}
		}
		b.exec.StartError = nil
		wantResults(t, uninterrupted(t, trainer()), s)
	})
}

// TestSchedulerWakesOnRetry: a trial that rests is tried again within about a second of a person asking for it, whatever its rest.
func TestSchedulerWakesOnRetry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, trainer(), nil)
		broken := true
		b.exec.StartError = func(trial.Assignment) error {
			if broken {
				return syscall.ENOSPC
			}
			return nil
		}
		var asked time.Time
		go func() {
			time.Sleep(150 * time.Second) // all rest for two minutes by now
			s, err := b.store.Snapshot(context.Background(), b.id)
			if err != nil {
				t.Error(err)
			}
			f := s.Ladders[0].Rungs[0].Trials[0]
			if broken, asked = false, time.Now(); f.Rest() != 2*time.Minute {
				t.Errorf("it rests %v", f.Rest())
			}
			last := f.Attempts[len(f.Attempts)-1].ID
			if err := b.store.Retry(context.Background(), b.id, []trial.AttemptID{last}, asked); err != nil {
				t.Error(err)
			}
		}()
		s, err := b.run(t.Context(), t, nil)
		if err != nil {
			t.Fatal(err)
		}
		attempts := s.Ladders[0].Rungs[0].Trials[0].Attempts
		if waited := attempts[len(attempts)-1].Intended.Sub(asked); waited > 2*time.Second {
			t.Errorf("it begins %v after it was asked for", waited)
		}
		wantResults(t, uninterrupted(t, trainer()), s)
	})
}

// TestSchedulerRestsAcrossCoordinators: a coordinator that is started again goes on with the rest where it was.
func TestSchedulerRestsAcrossCoordinators(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, trainer(), nil)
		b.exec.StartError = func(trial.Assignment) error { return syscall.ENOSPC }
		for range 20 {
			began := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			_, err := b.run(ctx, t, nil)
			cancel()
			if !errors.Is(err, sweep.ErrInterrupted) || time.Since(began) > 11*time.Second {
				t.Fatalf("Run = %v after %v", err, time.Since(began))
			}
		}
		s, err := b.store.Refresh(t.Context(), sweep.Snapshot{Sweep: sweep.Info{ID: b.id}})
		if err != nil {
			t.Fatal(err)
		}
		f := s.Ladders[0].Rungs[0].Trials[0]
		if n := len(f.Attempts); n > 9 || f.State() != sweep.TrialCrashed {
			t.Errorf("%d attempts in 200 s of short runs, and it is %s", n, f.State())
		}
	})
}

// TestSchedulerOutOfMemoryTogether: two trials that are killed together for memory are tried alone, and then done.
func TestSchedulerOutOfMemoryTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, trainer(), nil)
		hungry := &hungryExecutor{FakeExecutor: b.exec, fits: func(a trial.Assignment, others int) bool {
			return others == 0 || a.Trial.Spec.LoRA.Rank < 2
		}}
		s, err := b.run(t.Context(), t, func(s *sweep.Scheduler) { s.Exec = hungry })
		if err != nil {
			t.Fatal(err)
		}
		wantResults(t, uninterrupted(t, trainer()), s)
		if hungry.kills == 0 {
			t.Fatal("nothing was killed")
		}
		for _, a := range hungry.Starts() {
			if a.MicroBatch != 0 {
				t.Errorf("%s was given half a batch, though it fits alone", a.Attempt)
			}
		}
	})
}

// TestSchedulerOutOfMemoryAlone: a rank that does not fit alone is tried with half a batch once. If that fits, the ladder goes on so; if
// not it is memory_limited.
func TestSchedulerOutOfMemoryAlone(t *testing.T) {
	t.Parallel()
	for name, fits := range map[string]bool{"half a batch fits": true, "nor does half a batch": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, trainer(), nil)
				b.capacity.Jobs = 1
				hungry := &hungryExecutor{FakeExecutor: b.exec, fits: func(a trial.Assignment, _ int) bool {
					return a.Trial.Spec.LoRA.Rank < 4 || fits && a.MicroBatch > 0
				}}
				s, err := b.run(t.Context(), t, func(s *sweep.Scheduler) { s.Exec = hungry })
				if err != nil {
					t.Fatal(err)
				}
				tries := map[trial.ID]int{}
				for _, a := range hungry.Starts() {
					rank := a.Trial.Spec.LoRA.Rank
					if want := rank >= 4 && (tries[a.Trial.ID] > 0 || a.Trial.Spec.Seed > 0 || rank > 4); want != (a.MicroBatch == 4) {
						t.Errorf("attempt %s of rank %d has micro-batch %d", a.Attempt, a.Trial.Spec.LoRA.Rank, a.MicroBatch)
					}
					tries[a.Trial.ID]++
				}
				v := sweep.Conclude(s).Verdicts[0]
				if fits {
					wantResults(t, uninterrupted(t, trainer()), s)
				} else if v.State != plateau.StateMemoryLimited || v.RecommendedRank != 2 || tries[sweeptest.Trial(16, 4, 0).ID] != 2 {
					t.Errorf("%s, rank %d after %d attempts", v.State, v.RecommendedRank, tries[sweeptest.Trial(16, 4, 0).ID])
				}
			})
		})
	}
}

// hungryExecutor's machine kills what does not fit as soon as it has started, and what runs beside it.
type hungryExecutor struct {
	*sweeptest.FakeExecutor
	fits   func(a trial.Assignment, others int) bool
	killed map[trial.AttemptID]bool
	kills  int
	begun  []trial.AttemptID
}

func (h *hungryExecutor) Start(ctx context.Context, a trial.Assignment) error {
	if err := h.FakeExecutor.Start(ctx, a); err != nil {
		return err
	}
	var alive []trial.AttemptID
	for _, id := range append(h.begun, a.Attempt) {
		if p, err := h.Probe(ctx, id); err == nil && p.Alive {
			alive = append(alive, id)
		}
	}
	h.begun = append(h.begun, a.Attempt)
	if h.fits(a, len(alive)-1) {
		return nil
	}
	if h.killed == nil {
		h.killed = map[trial.AttemptID]bool{}
	}
	for _, id := range alive {
		h.killed[id] = true
		h.kills++
		if err := h.Stop(ctx, id, true); err != nil {
			return err
		}
	}
	return nil
}

func (h *hungryExecutor) Probe(ctx context.Context, id trial.AttemptID) (sweep.Process, error) {
	p, err := h.FakeExecutor.Probe(ctx, id)
	p.OutOfMemory = h.killed[id]
	return p, err
}
