package sweep

import (
	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

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

// Estimate interpolates between the measured ranks: what a rank adds to memory and time is proportional to it. No rank costs less than
// a lower one; where the measurement says so it is noise, and the lower rank's stands for both.
func (e MeasuredEnds) Estimate(rank int) Measurement {
	low, high := e.Low, e.High
	high.Startup, high.EvalSeconds = max(low.Startup, high.Startup), max(low.EvalSeconds, high.EvalSeconds)
	high.StepSeconds, high.Bytes = max(low.StepSeconds, high.StepSeconds), max(low.Bytes, high.Bytes)
	if rank == low.Rank {
		return low
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

// RungEstimate is what a rung's trials are expected to take.
type RungEstimate struct {
	Trials       int
	Bytes        int64   // of one trial
	TrialSeconds float64 // the mean over the trials
	EvalSeconds  float64 // of them evaluation
	Startup      float64 // of them before the first step, whatever the number of steps
	Ends         int     // the step at which limits.trial_time ends the first trial; 0 where it does not
	Steps        int     // of the first trial
	OverMemory   bool    // its trials would not be started
}

// LadderEstimate is what a ladder is expected to take.
type LadderEstimate struct {
	Rungs     []RungEstimate
	Reference *RungEstimate // nil where there is none
}

// Estimate says what a ladder takes by what was measured of its ends, and which limits its trials meet.
func (l LadderPlan) Estimate(ends MeasuredEnds, limits Limits) (LadderEstimate, error) {
	e := LadderEstimate{Rungs: l.estimateRungs(ends, limits)}
	if len(l.Reference) == 0 {
		return e, nil
	}
	reference, err := l.estimateReference(ends, limits)
	e.Reference = &reference
	return e, err
}

// fullStep is what a step of full fine-tuning takes of LoRA's at most: a forward pass, the gradients of the activations and those of the
// weights are about one unit each (Kaplan et al. 2020, arXiv:2001.08361, section 2.1), and LoRA leaves the last out.
const fullStep = 1.5

// estimateReference says what the reference takes, by what was measured of the lowest rank: nothing of full fine-tuning itself was.
func (l LadderPlan) estimateReference(ends MeasuredEnds, limits Limits) (RungEstimate, error) {
	specs := RungPlan{Trials: l.Reference}.Specs()
	m := ends.Low
	m.StepSeconds *= fullStep
	full, err := specs[0].LoRA.TrainableParams(l.Model.Modules, l.Model.Tensors)
	if err != nil {
		return RungEstimate{}, err
	}
	low, err := l.Spec().LoRA.TrainableParams(l.Model.Modules, l.Model.Tensors)
	if err != nil {
		return RungEstimate{}, err
	}
	m.Bytes += lora.TrainingBytes * (full - low)
	return m.estimate(specs, limits), nil
}

func (l LadderPlan) estimateRungs(ends MeasuredEnds, limits Limits) []RungEstimate {
	estimates := make([]RungEstimate, len(l.Rungs))
	for i, r := range l.Rungs {
		m := ends.Estimate(r.Rank)
		estimates[i] = m.estimate(r.Specs(), limits)
	}
	return estimates
}

// estimate is what trials of these specs take of which this was measured.
func (m Measurement) estimate(specs []trial.Spec, limits Limits) RungEstimate {
	silent := m
	silent.EvalSeconds = 0
	total, train := m.MeanSeconds(specs), specs[0].Train
	return RungEstimate{
		Trials: len(specs), Bytes: m.Bytes, TrialSeconds: total, EvalSeconds: total - silent.MeanSeconds(specs), Startup: m.Startup,
		OverMemory: m.OverMemory || limits.Memory > 0 && m.Bytes > limits.Memory,
		Ends:       m.endsAt(train, limits.TrialTime), Steps: train.Steps,
	}
}
