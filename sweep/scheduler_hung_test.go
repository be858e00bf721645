package sweep_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// unkilled is a deafExecutor whose first word that a worker be killed is lost.
type unkilled struct {
	deafExecutor
	killed map[trial.AttemptID]bool
}

func newUnkilled(exec *sweeptest.FakeExecutor) *unkilled {
	return &unkilled{deafExecutor{exec}, map[trial.AttemptID]bool{}}
}

func (u *unkilled) Stop(ctx context.Context, id trial.AttemptID, kill bool) error {
	if kill && !u.killed[id] {
		u.killed[id] = true
		return nil
	}
	return u.deafExecutor.Stop(ctx, id, kill)
}

// TestHungWorkers: a worker that goes no further is asked to end, then killed, once more after half a minute where that is lost, and its
// trial goes on from its checkpoint. One that is only slow is left alone.
func TestHungWorkers(t *testing.T) {
	t.Parallel()
	bad := sweeptest.Trial(16, 2, 1).ID
	for name, tt := range map[string]struct {
		lines, starts int
		least, most   time.Duration // that the first attempt takes
	}{
		"while it starts":  {1, 31, 30 * time.Minute, 32 * time.Minute},
		"while it trains":  {8, 31, 10 * time.Minute, 12 * time.Minute},
		"after its result": {0, 30, time.Minute, 2 * time.Minute},
	} {
		for lost, again := range map[bool]time.Duration{false: 0, true: 31 * time.Second} {
			t.Run(fmt.Sprintf("%s, lost %t", name, lost), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					tr := trainer()
					tr.Hang = func(a trial.Assignment) int {
						if a.Trial.ID == bad && a.Attempt.Number() == 1 {
							return tt.lines
						}
						return 0
					}
					want := uninterrupted(t, trainer())
					b := newBench(t, tr, nil)
					got, err := b.run(t.Context(), t, func(s *sweep.Scheduler) {
						s.Exec, s.HungAfter = &deafExecutor{b.exec}, 10*time.Minute
						if lost {
							s.Exec = newUnkilled(b.exec)
						}
					})
					if err != nil {
						t.Fatal(err)
					}
					wantResults(t, want, got)
					if n := len(b.exec.Starts()); n != tt.starts {
						t.Errorf("%d starts, want %d", n, tt.starts)
					}
					first := got.Ladders[0].Rungs[1].Trials[1].Attempts[0]
					if took := first.LastAt.Sub(first.Intended); took < tt.least || took > tt.most+again {
						t.Errorf("the first attempt took %v, want %v to %v", took, tt.least, tt.most+again)
					}
					if tt.lines > 0 && (first.Outcome.State != trial.OutcomeCrashed || !strings.Contains(first.Outcome.Error, "it hung")) {
						t.Errorf("the hung attempt: %+v", first.Outcome)
					}
				})
			})
		}
	}
}

// endedStore is one whose coordinator dies as it stores how an attempt ended.
type endedStore struct {
	sweep.Store
	attempt trial.AttemptID
}

func (s endedStore) Append(ctx context.Context, news ...sweep.News) error {
	err := s.Store.Append(ctx, news...)
	for _, n := range news {
		if err == nil && n.Attempt == s.attempt && n.Events[len(n.Events)-1].Outcome != nil {
			err = errCrash
		}
	}
	return err
}

// hangs has the worker of an attempt stay after its last word.
func (b *bench) hangs(id trial.AttemptID) {
	script := b.exec.Script
	b.exec.Script = func(a trial.Assignment, from int) []sweeptest.Line {
		lines := script(a, from)
		if a.Attempt == id {
			lines = append(lines, sweeptest.Line{After: 1000 * time.Hour})
		}
		return lines
	}
}

// TestHungAfterItsResult: a worker that hangs once its trial is done, and whose coordinator dies before it ends it, is known to the next
// one, which kills it. It is no trial's concern.
func TestHungAfterItsResult(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		want := uninterrupted(t, trainer())
		hangs := trial.NewAttemptID(sweeptest.Trial(16, 2, 1).ID, 1)
		b := newBench(t, trainer(), nil)
		b.hangs(hangs)
		_, err := b.run(t.Context(), t, func(s *sweep.Scheduler) { s.Store = endedStore{b.store, hangs} })
		if alive, _ := b.exec.Alive(); !errors.Is(err, errCrash) || !slices.Contains(alive, hangs) {
			t.Fatalf("Run = %v, the living: %v", err, alive)
		}
		began, known, gone := time.Now(), time.Duration(-1), time.Duration(-1)
		got, err := b.run(t.Context(), t, func(s *sweep.Scheduler) {
			s.Progress = func(p sweep.Progress) {
				isIt := func(a sweep.LiveAttempt) bool { return a.ID == hangs }
				if known < 0 && slices.ContainsFunc(p.Live, isIt) {
					known = time.Since(began)
				}
				if slices.ContainsFunc(p.Gone, isIt) {
					gone = time.Since(began)
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		wantResults(t, want, got)
		if known < 0 || known > 10*time.Second || gone < known || gone > time.Minute {
			t.Errorf("the next coordinator knows it after %v, and ends it after %v", known, gone)
		}
		if alive, _ := b.exec.Alive(); len(alive) > 0 {
			t.Errorf("at the end there live %v", alive)
		}
	})
}

// TestEndLeaving: the last worker of a sweep hangs once its trial is done, and its coordinator dies. Nothing is left to train, and who
// comes next ends the worker: it waits, asks, and kills it.
func TestEndLeaving(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]time.Duration{"heeds": 30 * time.Second, "heeds nothing": 35 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				whole := newBench(t, trainer(), nil)
				if _, err := whole.run(t.Context(), t, nil); err != nil {
					t.Fatal(err)
				}
				starts := whole.exec.Starts()
				hangs := starts[len(starts)-1].Attempt
				b := newBench(t, trainer(), nil)
				b.hangs(hangs)
				var exec sweep.Executor = b.exec
				if name == "heeds nothing" {
					exec = &deafExecutor{b.exec}
				}
				_, err := b.run(t.Context(), t, func(s *sweep.Scheduler) { s.Store = endedStore{b.store, hangs} })
				if !errors.Is(err, errCrash) {
					t.Fatal(err)
				}
				s, err := b.store.Refresh(t.Context(), sweep.Snapshot{Sweep: sweep.Info{ID: b.id}})
				if err != nil || !sweep.Conclude(s).Done {
					t.Fatalf("%v: the sweep is not done", err)
				}
				began, told := time.Now(), []trial.AttemptID(nil)
				left, err := sweep.EndLeaving(t.Context(), s, exec, sweep.NewClock(), func(id trial.AttemptID) { told = append(told, id) })
				took := time.Since(began)
				if err != nil || len(left) > 0 || !slices.Equal(told, []trial.AttemptID{hangs}) || took < want-time.Second || took > want+time.Second {
					t.Errorf("EndLeaving = %v, %v after %v, and told of %v; want %v after %v", left, err, took, told, hangs, want)
				}
				if alive, _ := b.exec.Alive(); len(alive) > 0 {
					t.Errorf("at the end there live %v", alive)
				}
			})
		})
	}
}

// TestSlowWorkersDoNotHang: a step may take longer than the patience where a worker has shown that its steps do.
func TestSlowWorkersDoNotHang(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tr := trainer()
		tr.StepTime = 2 * time.Minute
		b := newBenchOf(t, []int{1, 2}, tr, nil)
		if _, err := b.run(t.Context(), t, func(s *sweep.Scheduler) { s.HungAfter = time.Minute }); err != nil {
			t.Fatal(err)
		}
		if n := len(b.exec.Starts()); n != 12 {
			t.Errorf("%d starts, want 12", n)
		}
	})
}

// TestStoppedCoordinatorBlamesNobody: a coordinator that was stopped itself, its workers with it, did not listen meanwhile.
func TestStoppedCoordinatorBlamesNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, trainer(), nil)
		_, err := b.run(t.Context(), t, func(s *sweep.Scheduler) {
			s.HungAfter, s.Clock = 10*time.Minute, &suspended{Clock: s.Clock}
		})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(b.exec.Starts()); n != 30 {
			t.Errorf("%d starts, want 30", n)
		}
	})
}

// suspended is a clock on which an hour passes between two looks, each minute.
type suspended struct {
	sweep.Clock
	slept, last time.Duration
}

func (c *suspended) Now() sweep.Instant {
	now := c.Clock.Now()
	if now.Uptime-c.last > time.Minute {
		c.slept, c.last = c.slept+time.Hour, now.Uptime
	}
	now.Uptime += c.slept
	return now
}

// TestCoordinatorKeepsTheLimits: workers that heed neither a limit nor a request to end are ended all the same.
func TestCoordinatorKeepsTheLimits(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		limits sweep.Limits
		within time.Duration
	}{
		"limits.time":       {sweep.Limits{Time: 10 * time.Minute}, 11 * time.Minute},
		"limits.trial_time": {sweep.Limits{TrialTime: 2 * time.Minute}, 10 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tr := trainer()
				tr.Hang = func(a trial.Assignment) int {
					if a.Trial.Spec.LoRA.Rank == 2 {
						return 3
					}
					return 0
				}
				b := newBench(t, tr, func(i *sweep.Info) { i.Limits = tt.limits })
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
				defer cancel()
				s, err := b.run(ctx, t, func(s *sweep.Scheduler) { s.Exec = &deafExecutor{FakeExecutor: b.exec} })
				if err != nil {
					t.Fatal(err)
				}
				v := sweep.Conclude(s).Verdicts[0]
				if v.State != plateau.StateTimeLimited || v.RecommendedRank != 1 || s.Sweep.Elapsed > tt.within {
					t.Errorf("%s, rank %d after %v, want time_limited at rank 1 within %v", v.State, v.RecommendedRank, s.Sweep.Elapsed, tt.within)
				}
			})
		})
	}
}
