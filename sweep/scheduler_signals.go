package sweep

import (
	"context"
	"errors"
	"time"
)

// signalled does what a person asked of this process since it last looked, if anything. The order is fixed, so that a run on a clock that
// is not the system's can be repeated. A coordinator that was stopped and lost its sweep meanwhile leaves the workers alone, whatever it
// was asked.
func (r *run) signalled(ctx context.Context) (asked bool, err error) {
	kill := isClosed(r.kill)
	if !kill && !isClosed(r.cancelled) {
		return false, nil
	}
	if err := r.heartbeat(ctx, true); errors.Is(err, ErrLocked) {
		return false, err // any other error is left to the next heartbeat
	}
	r.cancelled, r.interrupted = nil, true
	if kill {
		r.kill, r.killed = nil, true
	}
	r.stop(ctx, r.ids(), kill)
	return true, nil
}

// isClosed reports whether a channel on which nothing is sent is closed; nil never is.
func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// frozenFor is how long a launch takes at most where this process was not stopped meanwhile: milliseconds.
const frozenFor = time.Second

// holds fails where the sweep was lost after a moment from which this process was stopped: another coordinator may have seen what was
// written then, and gone on from there.
func (r *run) holds(ctx context.Context, since time.Duration) error {
	if r.now()-since < frozenFor {
		return nil
	}
	return r.heartbeat(ctx, true)
}
