package track

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Run is what a tool shows as one run: a trial, or the sweep itself.
type Run struct {
	Sweep   Sweep
	Trial   trial.ID // empty: the sweep itself
	Name    string   // for people, one of its own within the sweep
	Status  Status
	Started time.Time
	Ended   time.Time // zero while it goes on
	Params  []Field
	Tags    []Field
	Points  []Point // in the order in which they were reported, without those of steps that were taken again
	// Summary is what came of a trial that is done; empty before.
	Summary []Value
	Step    int // that the summary is of: the last

	version string // changes with what the run shows
}

// Sweep is what the runs of a sweep share.
type Sweep struct {
	Name string
	Key  string // tells it from sweeps of the same name in other databases
}

// ID is a digest of the key, in characters that names of files and filters take.
func (s Sweep) ID() string {
	const length = 8
	sum := sha256.Sum256([]byte(s.Key))
	return hex.EncodeToString(sum[:length])
}

// Status is how far a run is.
type Status string

// The values of Status.
const (
	Running  Status = "running" // or interrupted, and to be continued
	Finished Status = "finished"
	Failed   Status = "failed"  // it ended without a loss
	Stopped  Status = "stopped" // before its end, because its sweep has ended without it
)

// Field is a named setting or a remark.
type Field struct {
	Name  string
	Value string
	Axis  bool // of a setting: it tells the sweep's trials apart
}

// Point is what one event of a trial measured.
type Point struct {
	Attempt int
	Kind    trial.EventKind // point, eval or memory: of each a step has at most one, that of the last attempt that reported it
	Step    int
	At      time.Time
	Values  []Value
}

// Value is a named number.
type Value struct {
	Name  string
	Value float64
}
