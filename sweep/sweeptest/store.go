package sweeptest

import (
	"context"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
)

// Store is a sweep.Store with the two acts that commands do before a scheduler needs one.
type Store interface {
	sweep.Store
	// Snapshot reads a sweep's facts. It fails with sweep.ErrNotFound.
	Snapshot(ctx context.Context, sweepID int64) (sweep.Snapshot, error)
	// Confirm writes the wish that likely plateaus be certified, with at most so many seeds per rank: see Info.Confirm.
	Confirm(ctx context.Context, sweepID int64, maxSeeds int, at time.Time) error
	// CreateSweep writes a sweep's own row.
	CreateSweep(ctx context.Context, info sweep.Info) (int64, error)
	// StartSession takes the sweep's lease.
	StartSession(ctx context.Context, sweepID int64, now sweep.Instant, by sweep.Coordinator) (int64, error)
}
