package sweeptest

import (
	"context"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Store is a sweep.Store with what commands do beside a scheduler.
type Store interface {
	sweep.Store
	// AppendEvents is Append of one attempt.
	AppendEvents(ctx context.Context, id trial.AttemptID, events []trial.Event) error
	// Snapshot reads a sweep's facts. It fails with sweep.ErrNotFound.
	Snapshot(ctx context.Context, sweepID int64) (sweep.Snapshot, error)
	// Confirm writes the wish that likely plateaus be certified, with at most so many seeds per rank: see Info.Confirm.
	Confirm(ctx context.Context, sweepID int64, maxSeeds int, at time.Time) error
	// Ask appends a request. A cancellation of a sweep that no session holds is refused with sweep.ErrNotFound.
	Ask(ctx context.Context, sweepID int64, kind sweep.RequestKind, at time.Time) error
	// Retry asks for fresh attempts of trials: what was tried of them up to these attempts counts as interrupted. It fails with
	// sweep.ErrNotFound where one was never begun.
	Retry(ctx context.Context, sweepID int64, last []trial.AttemptID, at time.Time) error
	// CreateSweep writes a sweep's own row.
	CreateSweep(ctx context.Context, info sweep.Info) (int64, error)
	// StartSession takes the sweep's lease.
	StartSession(ctx context.Context, sweepID int64, now sweep.Instant, by sweep.Coordinator) (int64, error)
}
