package sweep

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// Speed trains the first steps of the highest rank in as many workers at once, each with its own seed, and returns the steps a second
// that they take together and the memory of the largest. Where one would not fit, the speed is 0.
func (c *Calibrator) Speed(ctx context.Context, l LadderPlan, jobs int) (stepsPerSecond float64, bytes int64, err error) {
	measured := make([]Measurement, jobs)
	workers, ctx := errgroup.WithContext(ctx)
	for i := range measured {
		workers.Go(func() error {
			spec := largestBatch(l.Rungs[len(l.Rungs)-1])
			spec.Seed = int64(i)
			m, err := c.shortly(ctx, l, spec)
			if err != nil {
				return fmt.Errorf("measure %d trials at once: %w", jobs, err)
			}
			measured[i] = m
			return nil
		})
	}
	if err := workers.Wait(); err != nil {
		return 0, 0, err
	}
	for _, m := range measured {
		if m.OverMemory {
			return 0, m.Bytes, nil
		}
		stepsPerSecond += 1 / m.StepSeconds
		bytes = max(bytes, m.Bytes)
	}
	return stepsPerSecond, bytes, nil
}

// fewerJobs is how much faster half as many trials at once must be: what is measured in three steps is not better known.
const fewerJobs = 1.05

// FastestJobs returns how many trials at once train fastest together: it halves their number from most down for as long as that is
// faster. speed returns 0 for a number that does not fit.
func FastestJobs(most int, speed func(jobs int) (float64, error)) (int, error) {
	best, fastest := most, 0.0
	for jobs := most; jobs >= 1; jobs /= 2 {
		s, err := speed(jobs)
		if err != nil {
			return 0, err
		}
		switch {
		case s > fewerJobs*fastest:
			best, fastest = jobs, s
		case fastest > 0:
			return best, nil
		}
	}
	return best, nil
}

// perCore is the work of a core in a second, roughly: FLOP of float32 products.
const perCore = 1e11

// Hours is a rough guess of how long this many cores train every trial, before anything is measured: a forward pass and the gradients
// of the activations of a frozen base take 4 FLOP for each parameter and token (Kaplan et al. 2020, arXiv:2001.08361, section 2.1,
// less the weights' gradients).
func (r Registration) Hours(cores int) float64 {
	var flop float64
	for _, l := range r.Ladders {
		for _, rung := range l.Rungs {
			for _, s := range rung.Specs() {
				t := s.Train
				tokens := float64(t.Steps) * float64(t.BatchSize*t.GradientAccumulationSteps*s.Data.SequenceLength)
				flop += 4 * float64(l.Model.Params) * tokens
			}
		}
	}
	return flop / (perCore * float64(cores) * 3600)
}
