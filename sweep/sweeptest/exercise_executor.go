package sweeptest

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// What the workers of an executor under test do after their first event, started.
const (
	WorkerFinishes = "finish" // emits ended, done, and exits
	WorkerWaits    = "wait"   // waits until it is asked to stop, emits ended, interrupted, and exits
	WorkerDies     = "die"    // exits without another word
)

// ExerciseExecutor runs what every executor must do. open returns an executor on the root folder whose workers all do the
// same; opening it again on the same root is what a successor of a killed coordinator does.
func ExerciseExecutor(t *testing.T, open func(t *testing.T, root, worker string) sweep.Executor) {
	t.Helper()
	t.Run("Unknown", func(t *testing.T) { t.Parallel(); exerciseUnknown(t, open(t, t.TempDir(), WorkerFinishes)) })
	t.Run("Finish", func(t *testing.T) { t.Parallel(); exerciseFinish(t, open(t, t.TempDir(), WorkerFinishes)) })
	t.Run("Die", func(t *testing.T) { t.Parallel(); exerciseDeath(t, open(t, t.TempDir(), WorkerDies)) })
	t.Run("Stop", func(t *testing.T) { t.Parallel(); exerciseStop(t, open, false) })
	t.Run("Kill", func(t *testing.T) { t.Parallel(); exerciseStop(t, open, true) })
	t.Run("Attempts", func(t *testing.T) { t.Parallel(); exerciseOrder(t, open(t, t.TempDir(), WorkerFinishes)) })
}

func launch(t *testing.T, e sweep.Executor, number int) trial.AttemptID {
	t.Helper()
	tr := Trial(16, 1, 0)
	a := trial.Assignment{Attempt: trial.NewAttemptID(tr.ID, number), Trial: tr, Platform: "go"}
	for n := number - 1; n > 0; n-- {
		a.Checkpoints = append(a.Checkpoints, trial.NewAttemptID(tr.ID, n).Dir(""))
	}
	must(t, "Start "+string(a.Attempt), e.Start(t.Context(), a))
	return a.Attempt
}

func alive(t *testing.T, e sweep.Executor, id trial.AttemptID) bool {
	t.Helper()
	p, err := e.Probe(t.Context(), id)
	must(t, "Probe "+string(id), err)
	return p.Alive
}

// awaitDeath waits until the worker is gone, far longer than a healthy machine needs.
func awaitDeath(t *testing.T, e sweep.Executor, id trial.AttemptID) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); alive(t, e, id); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("worker of %s does not end", id)
		}
	}
}

// awaitStarted waits for the worker's first event, and probes meanwhile, as a scheduler does.
func awaitStarted(t *testing.T, e sweep.Executor, id trial.AttemptID) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); len(states(t, e, id, 0)) == 0; time.Sleep(5 * time.Millisecond) {
		if !alive(t, e, id) || time.Now().After(deadline) {
			t.Fatalf("worker of %s does not start", id)
		}
	}
}

// states lists an attempt's events after a number: their kinds and, of the last word, its state. Numbers must follow.
func states(t *testing.T, e sweep.Executor, id trial.AttemptID, after int64) []string {
	t.Helper()
	events, err := e.Events(t.Context(), id, after)
	must(t, "Events of "+string(id), err)
	var out []string
	for i, ev := range events {
		if ev.Seq != after+int64(i)+1 {
			t.Errorf("event %d after %d has seq %d", i, after, ev.Seq)
		}
		text := string(ev.Kind)
		if ev.Outcome != nil {
			text += " " + string(ev.Outcome.State)
		}
		out = append(out, text)
	}
	return out
}

func wantStates(t *testing.T, e sweep.Executor, id trial.AttemptID, after int64, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, states(t, e, id, after)); diff != "" {
		t.Errorf("events of %s after %d (-want +got):\n%s", id, after, diff)
	}
}

func exerciseUnknown(t *testing.T, e sweep.Executor) {
	t.Helper()
	id := trial.NewAttemptID(Trial(16, 1, 0).ID, 1)
	if alive(t, e, id) {
		t.Error("an attempt that was never launched lives")
	}
	wantStates(t, e, id, 0)
	must(t, "Stop of an unknown attempt", e.Stop(t.Context(), id, false))
	ids, err := e.Attempts(t.Context(), id.Trial())
	if err != nil || len(ids) != 0 {
		t.Errorf("Attempts = %v, %v, want none", ids, err)
	}
	if trials, err := e.Trials(t.Context()); err != nil || len(trials) != 0 {
		t.Errorf("Trials = %v, %v, want none", trials, err)
	}
}

func exerciseFinish(t *testing.T, e sweep.Executor) {
	t.Helper()
	id := launch(t, e, 1)
	awaitDeath(t, e, id)
	wantStates(t, e, id, 0, "started", "ended done")
	wantStates(t, e, id, 1, "ended done")
	wantStates(t, e, id, 2)
	wantStates(t, e, id, 0, "started", "ended done") // again
	must(t, "Stop of a worker that is gone", e.Stop(t.Context(), id, false))
}

func exerciseDeath(t *testing.T, e sweep.Executor) {
	t.Helper()
	id := launch(t, e, 1)
	awaitDeath(t, e, id)
	wantStates(t, e, id, 0, "started")
}

// exerciseStop checks that a worker looks alive from the moment Start returns, that it cannot be started twice, and that a
// successor of its coordinator finds it, reads it and stops it.
func exerciseStop(t *testing.T, open func(t *testing.T, root, worker string) sweep.Executor, kill bool) {
	t.Helper()
	root := t.TempDir()
	e := open(t, root, WorkerWaits)
	id := launch(t, e, 1)
	t.Cleanup(func() { _ = e.Stop(context.WithoutCancel(t.Context()), id, true) })
	if !alive(t, e, id) {
		t.Error("a worker that was just started does not live")
	}
	if err := e.Start(t.Context(), trial.Assignment{Attempt: id, Trial: Trial(16, 1, 0), Platform: "go"}); err == nil {
		t.Error("a running attempt was started again")
	}
	awaitStarted(t, e, id)
	successor := open(t, root, WorkerWaits)
	if !alive(t, successor, id) {
		t.Error("the successor does not find the worker")
	}
	must(t, "Stop", successor.Stop(t.Context(), id, kill))
	awaitDeath(t, successor, id)
	got := states(t, successor, id, 0)
	if kill && len(got) == 1 && got[0] == "started" { // a queue may ask before it kills
		return
	}
	if last := got[len(got)-1]; got[0] != "started" || last != "ended interrupted" {
		t.Errorf("events of a stopped worker: %v", got)
	}
}

// exerciseOrder: attempt 10 comes after attempt 9.
func exerciseOrder(t *testing.T, e sweep.Executor) {
	t.Helper()
	var want []trial.AttemptID
	for n := 1; n <= 10; n++ {
		want = append(want, launch(t, e, n))
		awaitDeath(t, e, want[n-1])
	}
	got, err := e.Attempts(t.Context(), want[0].Trial())
	must(t, "Attempts", err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("attempts (-want +got):\n%s", diff)
	}
	trials, err := e.Trials(t.Context())
	must(t, "Trials", err)
	if diff := cmp.Diff([]trial.ID{want[0].Trial()}, trials); diff != "" {
		t.Errorf("trials with attempts (-want +got):\n%s", diff)
	}
}
