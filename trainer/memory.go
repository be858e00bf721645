package trainer

import (
	"fmt"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// predict says what peak memory the trial will need, from the ladder's last rung where there is one: that rung's measured
// peak, plus what the compiler's memory analysis grew by since, times the factor by which this plug-in's analysis is
// known to be wrong. The first rung has only the analysis, on top of what the process already uses.
func (t *trial) predict(baseline int64) sweep.Prediction {
	analysis, exact := t.program.AnalysisBytes()
	source := "analysis"
	if !exact {
		analysis, source = t.countBytes(), "count of tensors"
	}
	if c := t.Calibration; c != nil && c.PeakBytes > 0 {
		factor := c.Factor
		if factor <= 0 {
			factor = 1
		}
		growth := factor * float64(analysis-c.AnalysisBytes)
		return sweep.Prediction{
			AnalysisBytes: analysis, PredictedBytes: max(0, c.PeakBytes+int64(growth)),
			Source: fmt.Sprintf("measured peak of rank %d + %s", c.Rank, source),
		}
	}
	if t.Platform == backend.PlatformCUDA {
		return sweep.Prediction{AnalysisBytes: analysis, PredictedBytes: analysis, Source: source + " (rough)"}
	}
	return sweep.Prediction{AnalysisBytes: analysis, PredictedBytes: baseline + analysis, Source: source + " + process baseline (rough)"}
}

// countBytes estimates what a step holds where no compiler says: base, adapter with gradient and both moments, and for
// every module its input and output, forward and backward.
func (t *trial) countBytes() int64 {
	const float = 4
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
	return float * (t.Model.Params + 4*adapter + 2*tokens*activations)
}

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
