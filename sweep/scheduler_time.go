package sweep

import "time"

// timeRunsOut reports whether limits.time has run out by now, with no heartbeat since.
func (r *run) timeRunsOut(now time.Duration) bool {
	info := r.snapshot.Sweep
	at := r.seen + info.Limits.Time - info.Elapsed
	return info.Limits.Time > 0 && r.beat < at && at <= now
}

// timeNears reports whether limits.time may have run out since the facts were read. They count time up to the heartbeat
// before; what may have passed between the session's start and Run is less than a heartbeat more.
func (r *run) timeNears() bool {
	limit := r.snapshot.Sweep.Limits.Time
	return limit > 0 && r.snapshot.Sweep.Elapsed+r.beat-r.seen+2*heartbeatEvery >= limit
}
