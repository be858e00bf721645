package sweep

import "time"

// Instant is one moment, by two clocks.
type Instant struct {
	// Wall is the time of day in UTC, which people read. It may jump, back too, and tells no durations.
	Wall time.Time
	// Uptime counts from a moment that only its Clock knows. It never jumps, and like the system's monotonic clock it stands still
	// while the machine sleeps: nothing is trained then, and nothing counts against a limit.
	Uptime time.Duration
}

// Coordinator is the process that works a sweep off. Boot and Start tell it from another process that got its number.
type Coordinator struct {
	Host     string
	PID      int
	Boot     string // of the machine's start; empty where that is not known
	Start    int64  // clock ticks from there to the process's; 0 where that is not known
	Command  string // as a person typed it, without flags, which may hold secrets
	Terminal string // its path; empty where there is none
}

// OnMachine reports whether two processes ran on one machine. Containers have host names of their own, a machine's boot is one.
func (c Coordinator) OnMachine(other Coordinator) bool {
	return c.Host == other.Host || c.Boot != "" && c.Boot == other.Boot
}

// Clock is where a scheduler has its time from.
type Clock interface {
	Now() Instant
	// After returns a channel that is ready once so much uptime has passed.
	After(d time.Duration) <-chan time.Time
}

// NewClock returns the system's clock.
func NewClock() Clock { return systemClock{origin: time.Now()} }

type systemClock struct{ origin time.Time }

func (c systemClock) Now() Instant {
	now := time.Now()
	return Instant{Wall: now.UTC(), Uptime: now.Sub(c.origin)}
}

func (systemClock) After(d time.Duration) <-chan time.Time { return time.After(d) }
