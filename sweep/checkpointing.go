package sweep

import (
	"fmt"
	"slices"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Checkpointing is what train.gradient_checkpointing: true would change where limits.memory stops a rank.
type Checkpointing struct {
	Bytes        int64   `json:"bytes"`         // of a trial of that rank
	TrialSeconds float64 `json:"trial_seconds"` // of one; 0 where it does not fit
	UpTo         int     `json:"up_to"`         // the highest rank of the ladder that fits; 0 where none does
}

// stopped are the ladders that limits.memory stops and that train without checkpointing.
func (f *Forecast) stopped(r Registration) []*Reached {
	var all []*Reached
	for i := range f.Limits {
		l := &f.Limits[i]
		if l.Limit == "limits.memory" && !r.Ladders[l.Ladder-1].Spec().Train.GradientCheckpointing {
			all = append(all, l)
		}
	}
	return all
}

// Checkpointed returns the ladders to measure again: those that limits.memory stops, with checkpointing in every trial.
func (f *Forecast) Checkpointed(r Registration) Registration {
	var again []LadderPlan
	for _, l := range f.stopped(r) {
		ladder := r.Ladders[l.Ladder-1]
		ladder.Rungs = slices.Clone(ladder.Rungs)
		for i, rung := range ladder.Rungs {
			ladder.Rungs[i].Trials = slices.Clone(rung.Trials)
			for j, t := range rung.Trials {
				ladder.Rungs[i].Trials[j].Trial = t.Trial.Changed(func(s *trial.Spec) { s.Train.GradientCheckpointing = true })
			}
		}
		again = append(again, ladder)
	}
	r.Ladders = again
	return r
}

// AddCheckpointing says beside the limits what was measured of the ladders that Checkpointed returned.
func (f *Forecast) AddCheckpointing(r Registration, measured []MeasuredEnds, limits Limits) {
	for i, l := range f.stopped(r) {
		ladder := r.Ladders[l.Ladder-1]
		l.Checkpointing = &Checkpointing{}
		for j, e := range ladder.estimateRungs(measured[i], limits) {
			rank := ladder.Rungs[j].Rank
			if rank == l.Rank {
				l.Checkpointing.Bytes = e.Bytes
			}
			if e.OverMemory {
				continue
			}
			l.Checkpointing.UpTo = rank
			if rank == l.Rank {
				l.Checkpointing.TrialSeconds = e.TrialSeconds
			}
		}
	}
}

// FitsCheckpointed reports whether checkpointing lets a ladder climb further than limits.memory does without.
func (f *Forecast) FitsCheckpointed() bool {
	return slices.ContainsFunc(f.Limits, func(l Reached) bool { return l.Checkpointing != nil && l.Checkpointing.UpTo >= l.Rank })
}

// checkpointingText says what checkpointing would change, where that was measured.
func (r Reached) checkpointingText() string {
	c := r.Checkpointing
	if c == nil {
		return ""
	}
	text := "; with train.gradient_checkpointing: true it would need " + trial.FormatBytes(c.Bytes)
	if c.UpTo < r.Rank {
		return text + ", which is too much as well"
	}
	return fmt.Sprintf("%s and %s a trial, and ranks up to %d fit", text, seconds(c.TrialSeconds), c.UpTo)
}
