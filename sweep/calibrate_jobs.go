package sweep

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Speed trains the first steps of the highest rank of a ladder in as many workers at once, each with its own seed, and returns the steps
// a second that they take together and the memory of the largest.
func (c *Calibrator) Speed(ctx context.Context, l LadderPlan, jobs int) (JobsMeasurement, error) {
	measured := make([]Measurement, jobs)
	workers, ctx := errgroup.WithContext(ctx)
	for i := range measured {
		workers.Go(func() error {
			spec := l.largest()
			spec.Seed = int64(i)
			m, err := c.shortly(ctx, l, spec)
			if err != nil {
				return err
			}
			if m.OverMemory {
				return fmt.Errorf("rank %d needs %s", m.Rank, trial.FormatBytes(m.Bytes))
			}
			measured[i] = m
			return nil
		})
	}
	if err := workers.Wait(); err != nil {
		return JobsMeasurement{}, fmt.Errorf("measure %d at once: %w", jobs, err)
	}
	var all JobsMeasurement
	for _, m := range measured {
		all.StepsPerSecond += 1 / m.StepSeconds
		all.Bytes = max(all.Bytes, m.Bytes)
	}
	return all, nil
}

// JobsMeasurement is what trials that run at once showed.
type JobsMeasurement struct {
	StepsPerSecond float64 // of all together
	Bytes          int64   // the largest peak
}

// largest is the spec of the ladder that needs the most.
func (l LadderPlan) largest() trial.Spec { return largestBatch(l.Rungs[len(l.Rungs)-1]) }

// LargestKind names what the ladder's most expensive trials have in common: see trial.Assignment.Kind.
func (r Registration) LargestKind(l LadderPlan) string {
	spec := l.largest()
	return trial.Assignment{
		Trial: trial.New(spec, l.Model.Fingerprint, l.Corpus.Fingerprint, r.Backend), Model: l.Model, Corpus: l.Corpus,
		Platform: r.Platform, PluginPath: r.PluginPath,
	}.Kind() + fmt.Sprint(spec.Train.GradientAccumulationSteps)
}

// fewerJobs is how much slower more trials at once may be than fewer: what is measured in three steps is not better known, and more of
// them idle less on the way.
const fewerJobs = 0.95

// FastestJobs returns how many trials at once train fastest together: it doubles their number, from most halved as often as possible,
// for as long as that is not slower and they fit into memory, of which 0 means unknown.
func FastestJobs(most int, memory int64, measure func(jobs int) (JobsMeasurement, error)) (int, error) {
	var candidates []int
	for jobs := most; jobs >= 1; jobs /= 2 {
		candidates = append(candidates, jobs)
	}
	slices.Reverse(candidates)
	best, fastest := candidates[0], JobsMeasurement{}
	for _, jobs := range candidates {
		if memory > 0 && int64(jobs)*fastest.Bytes > memory {
			break
		}
		m, err := measure(jobs)
		if err != nil {
			return 0, err
		}
		if m.StepsPerSecond < fewerJobs*fastest.StepsPerSecond {
			break
		}
		best = jobs
		fastest.StepsPerSecond, fastest.Bytes = max(fastest.StepsPerSecond, m.StepsPerSecond), max(fastest.Bytes, m.Bytes)
	}
	return best, nil
}

// perCore is the work of a core in a second, roughly: FLOP of float32 products.
const perCore = 1e11

// Heaviest returns the ladder whose trials take the most, and roughly the hours that this many cores train all trials of the sweep, before
// anything is measured: a forward pass and the gradients of the activations of a frozen base take 4 FLOP for each parameter and
// token (Kaplan et al. 2020, arXiv:2001.08361, section 2.1, less the weights' gradients).
func (r Registration) Heaviest(cores int) (heaviest LadderPlan, hours float64) {
	var most, flop float64
	for _, l := range r.Ladders {
		var own float64
		for _, rung := range l.Rungs {
			for _, s := range rung.Specs() {
				t := s.Train
				tokens := float64(t.Steps) * float64(t.RowsPerStep()*s.Data.SequenceLength)
				own += 4 * float64(l.Model.Params) * tokens
			}
		}
		if flop += own; own > most || len(heaviest.Rungs) == 0 {
			heaviest, most = l, own
		}
	}
	return heaviest, flop / (perCore * float64(cores) * 3600)
}
