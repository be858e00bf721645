package grid

import (
	"reflect"
	"slices"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// loraRateFactor is LoRA's learning rate over that of full fine-tuning, where the grid gives none: the best rate of LoRA is about ten
// times as high, over many models and tasks (Schulman and Thinking Machines Lab 2025, LoRA Without Regret).
const loraRateFactor = 10

// references is how many trials a ladder's reference has for each tuned combination and seed, at most.
func (g Grid) references() int {
	if !g.rank.full {
		return 0
	}
	return max(1, len(g.fullRate))
}

// reference plans the full fine-tuning beside a cell's rungs, given the specs of its candidates. What differs in nothing but the adapter
// is one candidate.
func (r Resolved) reference(specs []trial.Spec) []sweep.PlannedTrial {
	if !r.rank.full {
		return nil
	}
	var planned []sweep.PlannedTrial
	var seen []trial.Spec
	for _, s := range specs {
		s.LoRA = s.LoRA.Whole()
		rates := r.fullRate
		if len(rates) == 0 {
			rates = []float64{s.Train.LearningRate / loraRateFactor}
		}
		for _, rate := range rates {
			s.Train.LearningRate = rate
			if slices.ContainsFunc(seen, func(other trial.Spec) bool { return reflect.DeepEqual(other, s) }) {
				continue
			}
			t := trial.Trial{Spec: s}.Brief()
			for _, seed := range r.Seeds {
				t.Seed = seed
				planned = append(planned, sweep.PlannedTrial{Candidate: len(seen), Trial: t})
			}
			seen = append(seen, s)
		}
	}
	return planned
}

// fitReference checks that the targets of a cell's candidates can train in full.
func (g Grid) fitReference(specs []trial.Spec, m trial.ModelInfo, found *findings) bool {
	for _, s := range specs {
		l := s.LoRA.Whole()
		targets, err := l.Match(m.Modules)
		if err != nil {
			return true // which fit reports
		}
		if _, err := l.Trainables(targets, m.Modules, m.Tensors); err != nil {
			g.failTargets(s, err, found)
			return false
		}
	}
	return true
}
