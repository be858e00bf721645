package trainer

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/gomlx/go-xla/pjrt"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// predict says what peak memory the trial will need. Where the ladder has a complete rung: that rung's measured peak, plus
// what the analysis grew by since, times the factor by which this plug-in's analysis is known to be wrong. The first rung
// has only the process as it is after compiling, plus what training will add. A GPU's memory is the device's alone: no
// number of the host enters its prediction.
func (t *training) predict() (trial.Prediction, error) {
	working, source := t.workingBytes(), "count of tensors"
	base := t.program.BaseBytes()
	analysis, exact := t.program.AnalysisBytes()
	if exact {
		source = "analysis"
	} else {
		analysis = base + working
	}
	p := trial.Prediction{AnalysisBytes: analysis, PredictedBytes: analysis, Source: source + " (rough)"}
	if c := t.Calibration; c != nil && c.PeakBytes > 0 {
		growth := max(c.Factor, 0) * float64(analysis-c.AnalysisBytes)
		p.PredictedBytes = max(0, c.PeakBytes+int64(growth))
		p.Source = fmt.Sprintf("measured peak of rank %d + %s", c.Rank, source)
	}
	if t.Platform == backend.PlatformCUDA {
		return p, nil
	}
	peak, err := t.peakHostBytes()
	if err != nil {
		return trial.Prediction{}, err
	}
	if t.Calibration == nil || t.Calibration.PeakBytes <= 0 {
		resident, err := residentBytes()
		if err != nil {
			return trial.Prediction{}, err
		}
		p.PredictedBytes = resident + t.held(working).growth(t.Platform)
		p.Source = "resident after compiling + " + source + " (rough)"
	}
	p.PredictedBytes = max(p.PredictedBytes, peak) // the peak so far is a fact
	return p, nil
}

// What training adds to the process beside what a step holds (measured, experiments/LOG.md 2026-11-30).
const (
	// The C library keeps heaps for XLA's threads with what they freed in them: blocks in which matrices were laid out for a product,
	// and those of evaluations.
	keptMatrices    = 0.6
	keptEvaluations = 2.4
	keptAlways      = 12 << 20
	// In pure Go: what is read, decoded and logged between two collections.
	goGarbage = 24 << 20
	// An analysis that finds less than this share of the count of tensors has left something out: some plug-ins report no temporaries.
	leastOfCount = 0.25
)

// held is what there is beside the frozen base: while a step runs, while an evaluation does, and in the base's matrices as float32.
type held struct{ step, evaluation, matrices int64 }

// held counts; working is the count of what a step holds.
func (t *training) held(working int64) held {
	step, evaluation, ok := t.program.RunBytes()
	if !ok || float64(step) < leastOfCount*float64(working) {
		step = working
	}
	return held{step, evaluation, t.matrixBytes()}
}

// growth is what a process adds to its memory from compiling to its peak.
func (h held) growth(platform string) int64 {
	if platform == backend.PlatformGo {
		return 2*h.step + goGarbage // the collector lets garbage grow to the size of what lives
	}
	return h.step + int64(keptMatrices*float64(h.matrices)+keptEvaluations*float64(h.evaluation)) + keptAlways
}

// matrixBytes is the size in float32 of the base's matrices, without embeddings and head.
func (t *training) matrixBytes() int64 {
	var n int64
	for _, m := range t.Model.Modules {
		if !m.Head && !m.Embedding {
			n += 4 * int64(m.In) * int64(m.Out)
		}
	}
	return n
}

// workingBytes estimates what a step holds beside the base: the adapter with gradient and both moments, and every
// module's input and output, forward and backward.
func (t *training) workingBytes() int64 {
	spec := t.Trial.Spec
	adapter, err := spec.LoRA.TrainableParams(t.Model.Modules, t.Model.Tensors)
	if err != nil {
		adapter = 0 // prepare has refused it
	}
	tokens := int64(cmp.Or(t.MicroBatch, spec.Train.BatchSize)) * int64(spec.Data.SequenceLength)
	return lora.TrainingBytes*adapter + 2*int64(bytesPerValue(spec.Train.Computes()))*tokens*t.activations()
}

// activations counts the modules' inputs and outputs for each token: all of them or, with checkpointing, those of the largest block
// and every block's input.
func (t *training) activations() int64 {
	blocks, width := map[int]int64{}, 0
	for _, m := range t.Model.Modules {
		if !m.Head && !m.Embedding {
			blocks[m.Layer()] += int64(m.In + m.Out)
			width = max(width, min(m.In, m.Out))
		}
	}
	for _, m := range t.targets {
		blocks[m.Layer()] += 2 * int64(t.Trial.Spec.LoRA.RankOf(m.Name))
	}
	if t.Trial.Spec.Train.GradientCheckpointing {
		return slices.Max(slices.Collect(maps.Values(blocks))) + int64(len(blocks)*width)
	}
	all := int64(0)
	for _, n := range blocks {
		all += n
	}
	return all
}

func bytesPerValue(dtype string) int {
	if dtype == trial.DtypeBFloat16 {
		return 2
	}
	return 4
}

// residentBytes returns the memory that this process has now (Linux).
func residentBytes() (int64, error) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		return 0, fmt.Errorf("read /proc/self/statm: %w", err)
	}
	return resident * int64(os.Getpagesize()), nil
}

// outOfMemory reports whether the device had no room: of PJRT's code go-xla leaves the number in the error's text, XLA sometimes the
// name.
func outOfMemory(err error) bool {
	code := fmt.Sprintf("PJRT error (code=%d)", pjrt.PJRT_Error_Code_RESOURCE_EXHAUSTED)
	return strings.Contains(err.Error(), code) || strings.Contains(err.Error(), "RESOURCE_EXHAUSTED")
}

// measure reads the peaks so far.
func (t *training) measure() (trial.Memory, error) {
	host, err := t.peakHostBytes()
	if err != nil {
		return trial.Memory{}, err
	}
	m := trial.Memory{PeakHostBytes: &host, HostSource: "VmHWM"}
	if n, source, ok := backend.PeakDeviceBytes(t.backend); ok {
		m.PeakDeviceBytes, m.DeviceSource = &n, source
	}
	return m, nil
}

// reportMemory emits the peaks, and ends a trial that needs more than it may, however it was predicted.
func (t *training) reportMemory() (*trial.Outcome, error) {
	m, err := t.measure()
	if err != nil {
		return nil, err
	}
	if err := t.emit(trial.Event{Kind: trial.EventMemory, Step: t.Step, Memory: &m}); err != nil {
		return nil, err
	}
	peak := limited(t.Platform, m)
	if t.MemoryLimit == 0 || peak == nil || *peak <= t.MemoryLimit {
		return nil, nil
	}
	return new(overMemory(fmt.Sprintf("rank %d used %s", t.Trial.Spec.LoRA.Rank, trial.FormatBytes(*peak)), t.MemoryLimit)), nil
}

// limited returns the peak that counts against the limit: on a GPU the device's, which is nil where the plug-in cannot tell, else
// the process's.
func limited(platform string, m trial.Memory) *int64 {
	if platform == backend.PlatformCUDA {
		return m.PeakDeviceBytes
	}
	return m.PeakHostBytes
}
