package trial

import "github.com/ranksweep/ranksweep/sweep/lora"

// Shrink asks for what follows the training of a Spec: its best adapter is cut down to each lower rank by singular values, and
// trained on for a few steps after each cut, with the schedule of the training but its warm-up. So one trial shows every rank of a
// ladder.
type Shrink struct {
	To    []ShrunkRank `json:"to"`    // descending
	Steps int          `json:"steps"` // of training after each cut; 0 until those of the training are known (Spec.OnRows)
}

// ShrunkRank is a rank to cut down to, with the alpha that a trial of that rank has.
type ShrunkRank struct {
	Rank  int     `json:"r"`
	Alpha float64 `json:"lora_alpha"`
}

// HealingShare is the training's steps over those that follow each cut: see experiments/LOG.md, "every rank from one run".
const HealingShare = 10

// ShrinkTo returns a spec that shows lower ranks too: specs of each, descending.
func (s Spec) ShrinkTo(lower []lora.Spec) Spec {
	s.Shrink = &Shrink{}
	for _, l := range lower {
		s.Shrink.To = append(s.Shrink.To, ShrunkRank{l.Rank, l.Alpha})
	}
	return s
}

// OnRows is TrainSpec.OnRows with the steps that follow from it.
func (s Spec) OnRows(rows int) Spec {
	s.Train = s.Train.OnRows(rows)
	if s.Shrink != nil {
		shrink := *s.Shrink
		shrink.Steps = (s.Train.Steps + HealingShare - 1) / HealingShare
		s.Shrink = &shrink
	}
	return s
}

// TotalSteps are the optimiser steps of a trial, those after cuts among them.
func (s Spec) TotalSteps() int {
	if s.Shrink == nil {
		return s.Train.Steps
	}
	return s.Train.Steps + len(s.Shrink.To)*s.Shrink.Steps
}

// StageAt says how often the adapter has been cut when a step is taken, and the number of the step since then, both from 0: before
// the first step, and in the training at the spec's own rank, that is 0 cuts.
func (s Spec) StageAt(step int) (cuts, since int) {
	after := step - s.Train.Steps
	if s.Shrink == nil || after <= 0 {
		return 0, step
	}
	return (after-1)/s.Shrink.Steps + 1, (after-1)%s.Shrink.Steps + 1
}

// LoRAAfter is the LoRA spec after so many cuts.
func (s Spec) LoRAAfter(cuts int) lora.Spec {
	l := s.LoRA
	if cuts > 0 {
		to := s.Shrink.To[cuts-1]
		l.Rank, l.Alpha = to.Rank, to.Alpha
	}
	return l
}
