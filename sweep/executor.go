package sweep

import (
	"context"
	"time"
)

// AttemptID names one launch of a trial: "<trial id>/<number>", which is also its folder below ROOT/trials.
type AttemptID string

// Assignment is all that a worker is told: the spec.json of its attempt's folder. It holds no secrets and no handles, so a
// worker can be started by hand from it.
type Assignment struct {
	Attempt AttemptID  `json:"attempt"`
	Sweep   string     `json:"sweep"` // whose limits apply
	Trial   Trial      `json:"trial"`
	Model   ModelInfo  `json:"model"`
	Corpus  CorpusInfo `json:"corpus"`

	Platform   string `json:"platform"`              // xla:cpu, xla:cuda or go: resolved, never auto
	PluginPath string `json:"plugin_path,omitempty"` // absolute
	Cores      []int  `json:"cores,omitempty"`       // to pin to; empty means all
	Device     int    `json:"device"`                // index, for GPUs

	MemoryLimit int64         `json:"memory_limit,omitempty"` // bytes; 0 means none
	TrialTime   time.Duration `json:"trial_time,omitempty"`   // nanoseconds over all attempts; 0 means none
	Calibration *Calibration  `json:"calibration,omitempty"`

	// Checkpoints are the folders of earlier attempts, newest first. The worker continues from the newest good checkpoint
	// in them, or starts afresh when there is none.
	Checkpoints []string `json:"checkpoints,omitempty"`

	// Screen are lower ranks: once trained, the best adapter is truncated to each of them and evaluated. A trial that an
	// earlier attempt has finished is not trained again for that.
	Screen []int `json:"screen,omitempty"`
}

// Calibration is what the ladder's last complete rung measured; predictions for the next rung start from it.
type Calibration struct {
	Rank          int     `json:"rank"`
	PeakBytes     int64   `json:"peak_bytes"`
	AnalysisBytes int64   `json:"analysis_bytes"`
	Factor        float64 `json:"factor"` // measured growth over analysed growth, per plug-in; 1 when not known yet
}

// Process is what an executor can tell of an attempt it started, maybe in an earlier coordinator's life.
type Process struct {
	Alive bool
	// Exit says how it ended where the executor could see that: "exit status 1", "signal: killed"; empty when unknown.
	Exit string
	// OutOfMemory says that the kernel killed it for want of memory.
	OutOfMemory bool
}

// Executor starts workers and finds them again. Implementations keep no state that a crash could lose: everything is in the
// attempt's folder.
type Executor interface {
	// Start launches a worker for the assignment. Calling it again for the same attempt is an error if the worker runs.
	Start(ctx context.Context, a Assignment) error
	// Probe reports whether the attempt's worker lives. An attempt that was never launched is not alive.
	Probe(ctx context.Context, id AttemptID) (Process, error)
	// Events returns the events with Seq > after, in order. Unknown attempts have none.
	Events(ctx context.Context, id AttemptID, after int64) ([]Event, error)
	// Stop asks the worker to checkpoint and end, or kills it.
	Stop(ctx context.Context, id AttemptID, kill bool) error
	// Attempts lists the attempt folders that exist for a trial, oldest first: also those the store does not know.
	Attempts(ctx context.Context, trial TrialID) ([]AttemptID, error)
}
