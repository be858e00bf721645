package trainer

import (
	"fmt"
	"os"
	"strings"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// predict says what peak memory the trial will need. Where the ladder has a complete rung: that rung's measured peak, plus
// what the analysis grew by since, times the factor by which this plug-in's analysis is known to be wrong. The first rung
// has only the process as it is after compiling, plus the step's working set.
func (t *trial) predict() (sweep.Prediction, error) {
	working, source := t.workingBytes(), "count of tensors"
	base := t.Model.Params * int64(bytesPerValue(t.Trial.Spec.Train.Dtype))
	analysis, exact := t.program.AnalysisBytes()
	if exact {
		source = "analysis"
	} else {
		analysis = base + working
	}
	if c := t.Calibration; c != nil && c.PeakBytes > 0 {
		growth := max(c.Factor, 0) * float64(analysis-c.AnalysisBytes)
		return sweep.Prediction{
			AnalysisBytes: analysis, PredictedBytes: max(0, c.PeakBytes+int64(growth)),
			Source: fmt.Sprintf("measured peak of rank %d + %s", c.Rank, source),
		}, nil
	}
	if t.Platform == backend.PlatformCUDA {
		return sweep.Prediction{AnalysisBytes: analysis, PredictedBytes: analysis, Source: source + " (rough)"}, nil
	}
	// Some plug-ins' analysis reports no temporaries, so the count is the least there will be.
	working = max(working, analysis-base)
	if t.Platform == backend.PlatformGo {
		working *= 2 // the collector lets garbage grow to the size of what lives
	}
	peak, err := backend.PeakHostBytes()
	if err != nil {
		return sweep.Prediction{}, err
	}
	resident, err := residentBytes()
	return sweep.Prediction{
		AnalysisBytes: analysis, PredictedBytes: max(peak, resident+working), Source: "resident after compiling + " + source + " (rough)",
	}, err
}

// workingBytes estimates what a step holds beside the base: the adapter with gradient and both moments, and every
// module's input and output, forward and backward. It comes within 10 % of measured growth on XLA's CPU plug-in
// (experiments/LOG.md 2026-11-23).
func (t *trial) workingBytes() int64 {
	spec := t.Trial.Spec
	adapter, activations := int64(0), int64(0)
	for _, m := range t.Model.Modules {
		if !m.Head {
			activations += int64(m.In + m.Out)
		}
	}
	for _, m := range t.targets {
		adapter += int64(spec.LoRA.Rank) * int64(m.In+m.Out)
		activations += 2 * int64(spec.LoRA.Rank)
	}
	tokens := int64(spec.Train.BatchSize) * int64(spec.Data.SequenceLength)
	return 4*4*adapter + 2*int64(bytesPerValue(spec.Train.Dtype))*tokens*activations
}

func bytesPerValue(dtype string) int {
	if dtype == "bfloat16" {
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

// outOfMemory reports whether the device had no room: PJRT says so with this word in its text.
func outOfMemory(err error) bool { return strings.Contains(err.Error(), "RESOURCE_EXHAUSTED") }

// measure reads the peaks so far.
func (t *trial) measure() (sweep.Memory, error) {
	host, err := backend.PeakHostBytes()
	if err != nil {
		return sweep.Memory{}, err
	}
	m := sweep.Memory{PeakHostBytes: &host, HostSource: "VmHWM"}
	if n, source, ok := backend.PeakDeviceBytes(t.backend); ok {
		m.PeakDeviceBytes, m.DeviceSource = &n, source
	}
	return m, nil
}

// reportMemory emits the peaks, and ends a trial that needs more than it may, however it was predicted.
func (t *trial) reportMemory() (*sweep.Outcome, error) {
	m, err := t.measure()
	if err != nil {
		return nil, err
	}
	if err := t.emit(sweep.Event{Kind: sweep.EventMemory, Step: t.Step, Memory: &m}); err != nil {
		return nil, err
	}
	peak := *m.PeakHostBytes
	if m.PeakDeviceBytes != nil {
		peak = *m.PeakDeviceBytes
	}
	if t.MemoryLimit == 0 || peak <= t.MemoryLimit {
		return nil, nil
	}
	return new(overMemory(fmt.Sprintf("rank %d used %s", t.Trial.Spec.LoRA.Rank, bytesText(peak)), t.MemoryLimit)), nil
}
