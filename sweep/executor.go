package sweep

import (
	"context"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Process is what an executor can tell of an attempt it started, maybe in an earlier coordinator's life.
type Process struct {
	Alive bool
	// Beat changes whenever a living worker has got further: a step, a batch, a stage of its start. It stays 0 where that cannot be told.
	Beat int64
	// Exit says how it ended where the executor could see that: "exit status 1", "signal: killed"; empty when unknown.
	Exit string
	// OutOfMemory says that the kernel killed it for want of memory.
	OutOfMemory bool
	// AskedTooLittle says, of one that ran out of memory, that it outgrew what its job had asked for, and that the next may ask for more.
	AskedTooLittle bool
	// Waiting says that it is alive only as a job that waits for a machine: it neither hangs nor uses up its trial's time.
	Waiting bool
	// Reason is what a cluster says of its end; empty where there is none.
	Reason string
	// Stderr is the end of what it wrote, once it is not alive.
	Stderr string
}

// Executor starts workers and finds them again. Implementations keep no state that a crash could lose: everything is in the
// attempt's folder.
type Executor interface {
	// Start launches a worker for the assignment. Calling it again for the same attempt is an error if the worker runs.
	Start(ctx context.Context, a trial.Assignment) error
	// Probe reports whether the attempt's worker lives. An attempt that was never launched is not alive.
	Probe(ctx context.Context, id trial.AttemptID) (Process, error)
	// Events returns the events with Seq > after, in order. Unknown attempts have none.
	Events(ctx context.Context, id trial.AttemptID, after int64) ([]trial.Event, error)
	// Stop asks the worker to checkpoint and end, or kills it.
	Stop(ctx context.Context, id trial.AttemptID, kill bool) error
	// Trials lists the trials that have attempt folders, in any order.
	Trials(ctx context.Context) ([]trial.ID, error)
	// Attempts lists the attempt folders that exist for a trial, oldest first: also those the store does not know.
	Attempts(ctx context.Context, trial trial.ID) ([]trial.AttemptID, error)
}
