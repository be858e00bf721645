package sweeptest_test

import (
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

func TestMemStore(t *testing.T) {
	t.Parallel()
	sweeptest.ExerciseStore(t, func(*testing.T) sweeptest.Store { return &sweeptest.MemStore{} })
}

func TestFakeExecutor(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	byRoot := map[string]*sweeptest.FakeExecutor{} // what real executors keep in folders
	sweeptest.ExerciseExecutor(t, func(_ *testing.T, root, worker string) sweep.Executor {
		mu.Lock()
		defer mu.Unlock()
		if byRoot[root] == nil {
			byRoot[root] = &sweeptest.FakeExecutor{Script: script(worker)}
		}
		return byRoot[root]
	})
}

func TestFakeExecutorFaults(t *testing.T) {
	t.Parallel()
	ends := map[sweeptest.Fault]sweep.Process{
		sweeptest.OutOfMemory: {Exit: "signal: killed", OutOfMemory: true}, sweeptest.Preempted: {Reason: "PREEMPTED"},
		sweeptest.NodeFailure: {Reason: "NODE_FAIL"}, sweeptest.Cancelled: {Exit: "signal: killed"},
	}
	var mu sync.Mutex
	byRoot := map[string]*sweeptest.FakeExecutor{}
	sweeptest.ExerciseFaults(t, func(_ *testing.T, root, _ string, f sweeptest.Fault) sweep.Executor {
		mu.Lock()
		defer mu.Unlock()
		if byRoot[root] == nil {
			byRoot[root] = &sweeptest.FakeExecutor{
				Script: script(sweeptest.WorkerDies), Exit: func(trial.Assignment) sweep.Process { return ends[f] },
			}
		}
		return byRoot[root]
	}, slices.Collect(maps.Keys(ends))...)
}

// script is a worker that does as ExerciseExecutor wants, within milliseconds.
func script(worker string) sweeptest.Script {
	started := sweeptest.Line{After: time.Millisecond, Event: trial.Event{Kind: trial.EventStarted, Environment: &trial.Environment{}}}
	ended := sweeptest.Line{After: 2 * time.Millisecond, Event: trial.Event{
		Kind: trial.EventEnded, Outcome: &trial.Outcome{State: trial.OutcomeDone},
	}}
	return func(trial.Assignment, int) []sweeptest.Line {
		switch worker {
		case sweeptest.WorkerFinishes:
			return []sweeptest.Line{started, ended}
		case sweeptest.WorkerWaits:
			ended.After = time.Hour
			return []sweeptest.Line{started, ended}
		}
		return []sweeptest.Line{started}
	}
}
