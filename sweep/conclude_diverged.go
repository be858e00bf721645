package sweep

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

const (
	// farAbove is the share of the loss before the first step by which a diverged trial ends above it at least: well beyond what an
	// unlucky evaluation or a few steps of overfitting add (measured, experiments/LOG.md 2026-11-29).
	farAbove = 0.02
	// nearUniform is the share of ln(vocabulary), the loss of a model that guesses, from which on an end counts as reached there.
	nearUniform = 0.98
)

// diverged reports whether training left a model far worse than it was before the first step: its loss ends above that start by 2 % of
// it and by minGain, and either it was never minGain below it, or it ends at what guessing costs. A loss that first fell and then rose
// less far is overfitting, and one that is not finite is unstable.
func (t *TrialFacts) diverged(minGain, guessing float64) bool {
	o := t.Final()
	if o == nil || o.State != trial.OutcomeDone || o.ValLoss == nil || o.LastValLoss == nil {
		return false
	}
	start, ok := t.startLoss()
	if !ok || *o.LastValLoss < start+max(minGain, farAbove*start) {
		return false
	}
	return *o.ValLoss > start-minGain || guessing > 0 && *o.LastValLoss >= nearUniform*guessing
}

// startLoss is the loss before the first step.
func (t *TrialFacts) startLoss() (float64, bool) {
	if len(t.Evaluations) == 0 || t.Evaluations[0].Step != 0 {
		return 0, false
	}
	return t.Evaluations[0].ValLoss, true
}

// diverged reports whether more than half of a rung's grid seeds diverged, those that stopped on NaN among them, and at least one of
// them with a loss: a rung of NaN alone is unstable.
func (r Rung) diverged(minGain, guessing float64) bool {
	grid := r.grid()
	ended, bad := 0, 0
	for i := range grid.Trials {
		t := &grid.Trials[i]
		if t.diverged(minGain, guessing) {
			ended++
		}
		if t.State() == TrialUnstable {
			bad++
		}
	}
	return ended > 0 && 2*(ended+bad) > len(grid.Trials)
}

// guessing is the loss of a model that guesses.
func (l Ladder) guessing() float64 { return math.Log(float64(max(1, l.Model.VocabSize))) }

// diverged lists the counted rungs that diverged, as indices of the climb's.
func (s standing) diverged() []int {
	var found []int
	for i := range s.chosen {
		if s.chosen[i].diverged(s.climb.MinGain, s.ladder.guessing()) {
			found = append(found, i)
		}
	}
	return found
}

// allDiverged reports whether no counted rung works: whatever the rule says of such losses is not about rank.
func (s standing) allDiverged() bool {
	return len(s.counted) > 0 && len(s.diverged()) == len(s.counted)
}

// concludeDiverged names divergence: it is the verdict where no counted rung works, unless trials failed or still run, and a flag with
// the ranks where others do. It is never a plateau, and the advice never to train harder.
func (s standing) concludeDiverged(v *plateau.Verdict) {
	found := s.diverged()
	if len(found) == 0 {
		return
	}
	f := s.divergence(found)
	v.DivergedRanks = f.Ranks
	v.Flags = slices.DeleteFunc(v.Flags, func(flag string) bool { return flag == plateau.FlagBarelyTrained })
	v.Advice = slices.DeleteFunc(v.Advice, func(a plateau.Finding) bool { return a.Code == plateau.AdviseBarely })
	v.Flags = append(v.Flags, plateau.FlagDiverged)
	switch v.State {
	case plateau.StateRunning, plateau.StateIncomplete:
		return
	case plateau.StateUnstable:
	default:
		if len(found) < len(s.counted) {
			f.Code = plateau.AdviseDiverged
			v.Advice = append(v.Advice, f, s.adviseUnstable()[0])
			return
		}
	}
	if v.State != plateau.StateUnstable {
		s.cut(v, plateau.StateUnstable, f, s.adviseUnstable()...)
		v.Reason.Then, v.Reason.Over, v.Draw, v.Choice = nil, 0, nil, nil
		v.Flags = []string{plateau.FlagDiverged}
	}
}

// divergence says where the losses of rungs started and ended, the means over their seeds.
func (s standing) divergence(rungs []int) plateau.Finding {
	f := plateau.Finding{Code: plateau.ReasonDiverged, Count: s.ladder.Model.VocabSize}
	var starts []float64
	for _, i := range rungs {
		var ends []float64
		for j := range s.chosen[i].Trials {
			t := &s.chosen[i].Trials[j]
			if start, ok := t.startLoss(); ok {
				starts = append(starts, start)
			}
			if o := t.Final(); o != nil && o.LastValLoss != nil {
				ends = append(ends, *o.LastValLoss)
			}
		}
		f.Ranks = append(f.Ranks, s.chosen[i].Rank)
		f.Values = append(f.Values, stat.Mean(ends, nil))
	}
	f.Value = stat.Mean(starts, nil)
	return f
}
