package sweep

import (
	"context"
	"fmt"
	"time"
)

// listenEvery is how often the store is asked whether a person wants something: soon enough for who waits at a terminal.
const listenEvery = time.Second

// listen looks for requests when it is time to.
func (r *run) listen(ctx context.Context) error {
	now := r.now()
	if now-r.listened < listenEvery {
		return nil
	}
	r.listened = now
	asked, err := r.Store.Asked(ctx, r.id)
	if err != nil {
		return fmt.Errorf("read what is asked of sweep %d: %w", r.id, err)
	}
	r.stale = r.stale || asked != r.snapshot.Sweep.Asked
	return nil
}

// heed does what a person asks beyond what Decide is told by the facts. A coordinator that must register another grid leaves the workers
// alone: they go on, and are found again once it is registered.
func (r *run) heed(ctx context.Context) error {
	asked := r.snapshot.Sweep.Asked
	if asked.Cancelled && !r.interrupted {
		r.interrupted = true
		r.Log.Info("cancelled on request")
		r.stop(ctx, r.ids(), false)
	}
	if asked.Grid > r.Refused && !r.interrupted {
		return fmt.Errorf("sweep %s: %w", r.snapshot.Sweep.Name, ErrExtended)
	}
	return nil
}
