package sweep

import "github.com/ranksweep/ranksweep/sweep/trial"

// Measurement is what a few real steps of one trial showed.
type Measurement struct {
	Rank        int
	Startup     float64 // seconds before the first step: process, weights, compiling
	EvalSeconds float64 // of one evaluation
	StepSeconds float64 // of one optimiser step
	Bytes       int64   // peak of the process or, on a GPU, of the device; predicted where OverMemory
	OverMemory  bool
}

// MeasuredEnds is what was measured of a ladder: its lowest and its highest rank.
type MeasuredEnds struct{ Low, High Measurement }

// Estimate interpolates between the measured ranks: what a rank adds to memory and time is proportional to it.
func (e MeasuredEnds) Estimate(rank int) Measurement {
	low, high := e.Low, e.High
	if rank == low.Rank {
		return low
	}
	if high.OverMemory { // it was not trained: its times are the lower rank's
		high.Startup, high.EvalSeconds, high.StepSeconds = low.Startup, low.EvalSeconds, low.StepSeconds
	}
	if rank == high.Rank {
		return high
	}
	share := float64(rank-low.Rank) / float64(high.Rank-low.Rank)
	between := func(a, b float64) float64 { return a + share*(b-a) }
	return Measurement{
		Rank: rank, Startup: between(low.Startup, high.Startup), EvalSeconds: between(low.EvalSeconds, high.EvalSeconds),
		StepSeconds: between(low.StepSeconds, high.StepSeconds), Bytes: int64(between(float64(low.Bytes), float64(high.Bytes))),
	}
}

// MeanSeconds is the mean of what trials take that may differ in what they train.
func (m Measurement) MeanSeconds(specs []trial.Spec) float64 {
	var sum float64
	for _, s := range specs {
		sum += m.seconds(s.Train)
	}
	return sum / float64(len(specs))
}

// seconds is what one trial of this spec takes.
func (m Measurement) seconds(t trial.TrainSpec) float64 {
	evaluations := 1 + (t.Steps+t.EvalSteps-1)/t.EvalSteps
	return m.Startup + float64(evaluations)*m.EvalSeconds + float64(t.Steps)*m.StepSeconds
}
