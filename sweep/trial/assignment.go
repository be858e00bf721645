package trial

import (
	"fmt"
	"time"

	"github.com/ranksweep/ranksweep/sweep/lora"
)

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

	SharedDevice bool `json:"shared_device,omitempty"` // other trials may run on the device at the same time

	MemoryLimit int64         `json:"memory_limit,omitempty"` // bytes; 0 means none
	TrialTime   time.Duration `json:"trial_time,omitempty"`   // nanoseconds over all attempts; 0 means none
	Calibration *Calibration  `json:"calibration,omitempty"`

	// MicroBatch cuts every batch into forward passes of so many sequences, and accumulates over more of them: the step sees the same rows
	// in the same order. 0 means whole batches.
	MicroBatch int `json:"micro_batch,omitempty"`

	// Checkpoints are the folders of earlier attempts, newest first. The worker continues from the newest good checkpoint
	// in them, or starts afresh when there is none.
	Checkpoints []string `json:"checkpoints,omitempty"`

	// Probe cuts every evaluation down to so many batches: a plan wants to know what one costs, not what it finds. 0 means all rows.
	Probe int `json:"probe,omitempty"`

	// ExpectedBytes is what its process is expected to use at its peak, and ExpectedSeconds how long it is expected to take, by what was
	// measured of trials like it. 0 means not known.
	ExpectedBytes   int64   `json:"expected_bytes,omitempty"`
	ExpectedSeconds float64 `json:"expected_seconds,omitempty"`

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

// Kind names what assignments have in common that one process can train one after another with the same compiled programs: the model, the
// data, where it runs, and all of the spec but what is an input of the programs. That is the rank within its bucket, scalings, the start,
// the dropout rate unless it is zero, and the recipe from step to step.
func (a Assignment) Kind() string {
	s := a.Trial.Spec
	l, train := s.LoRA, TrainSpec{
		BatchSize: s.Train.BatchSize, Dtype: s.Train.Dtype, ComputeDtype: s.Train.ComputeDtype,
		GradientCheckpointing: s.Train.GradientCheckpointing,
	}
	pissa, dropout, plus := l.Init == lora.InitPiSSA, l.Dropout > 0, l.LoRAPlusLRRatio != 0
	l.Rank = lora.Bucket(l.Rank)
	l.Alpha, l.AlphaPattern, l.UseRSLoRA = 0, nil, false
	l.Init, l.InitAdapter, l.InitAdapterSHA256, l.Dropout, l.LoRAPlusLRRatio, l.LoRAPlusLREmbedding = "", "", "", 0, 0, 0
	return fmt.Sprintf("%q device %d cores %v %#v %#v micro=%d %d pissa=%t dropout=%t plus=%t", []string{
		a.Model.Reference, a.Model.Path, a.Trial.Base, a.Corpus.Path, a.Trial.Data, a.Trial.Backend, a.Platform, a.PluginPath,
	}, a.Device, a.Cores, l, train, a.MicroBatch, s.Data.SequenceLength, pissa, dropout, plus)
}
