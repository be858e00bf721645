package ray_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/executor/cluster"
	"github.com/ranksweep/ranksweep/sweep/executor/cluster/clustertest"
	"github.com/ranksweep/ranksweep/sweep/executor/ray"
	"github.com/ranksweep/ranksweep/sweep/executor/ray/raytest"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
)

func TestMain(m *testing.M) { clustertest.Main(m) }

// TestConformsOnRay: attempts whose jobs a real head runs are started, found again, stopped and killed as any other.
func TestConformsOnRay(t *testing.T) {
	t.Parallel()
	head := raytest.Start(t, 8)    // as many jobs at the same time: they do nothing
	t.Run("", func(t *testing.T) { // returns once all its parts have, which run in parallel
		sweeptest.ExerciseExecutor(t, func(t *testing.T, root, worker string) sweep.Executor {
			t.Helper()
			return &cluster.Executor{
				Root: root, Queue: &ray.Queue{Settings: head.Settings()}, Script: cluster.Script{Command: clustertest.Command(t, worker)},
				Late: 12 * time.Second, Clock: sweep.NewClock(), Log: slog.New(slog.DiscardHandler),
			}
		})
	})
}
