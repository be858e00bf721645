package cluster

import (
	"log/slog"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Executor implements sweep.Executor with the jobs of a queue.
type Executor struct {
	Root   string // on the shared file system, absolute: attempts live in Root/trials/<trial>/<number>, batches in Root/batches
	Queue  Queue
	Script Script
	// Ask is what the job of an attempt asks for; nil: what the queue gives by default.
	Ask   func(trial.Assignment) Request
	Late  time.Duration // how long files may take to be seen here; 0: a minute, as NFS may
	Clock sweep.Clock
	Log   *slog.Logger
}
