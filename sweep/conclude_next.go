package sweep

import (
	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// adviseNext names the rank to add where the grid ended on an improvement, and takes back the advice to add one where there is none.
func (s standing) adviseNext(v *plateau.Verdict, info Info) {
	rank, ok := s.nextRank()
	if !ok {
		for i, f := range v.Advice {
			if f.Code == plateau.AdviseLargerRanks || f.Code == plateau.AdviseClimb {
				v.Advice[i].Code = plateau.AdviseWidest
			}
		}
		return
	}
	for _, f := range v.Advice {
		if f.Code == plateau.AdviseLargerRanks || f.Code == plateau.AdviseRanks || f.Code == plateau.AdviseClimb {
			v.Advice = append(v.Advice, plateau.Finding{Code: plateau.AdviseNewName})
		}
	}
	if v.State != plateau.StateStillImproving {
		return
	}
	v.Next = s.next(info, rank)
	v.Advice = append(v.Advice, plateau.Finding{Code: plateau.AdviseNextRank, Over: rank})
}

// nextRank continues the ladder by the factor of its last two ranks, at least by 2, up to the width of the widest target.
// It reports false where the ladder has reached that.
func (s standing) nextRank() (int, bool) {
	rungs := s.ladder.Rungs
	last := rungs[len(rungs)-1]
	factor := 2
	if len(rungs) > 1 {
		factor = max(factor, last.Rank/rungs[len(rungs)-2].Rank)
	}
	rank := last.Rank * factor
	if width := s.ladder.width(); width > 0 {
		rank = min(rank, width)
	}
	return rank, rank > last.Rank
}

// width is min(in, out) of the widest target, above which a rank adds nothing, of the candidate where that is least; 0 where
// the modules are not known.
func (l Ladder) width() int {
	least := 0
	for i, t := range l.Rungs[0].Trials {
		if i > 0 && t.Candidate == l.Rungs[0].Trials[i-1].Candidate {
			continue
		}
		lora := t.Trial.Spec().LoRA
		targets, err := lora.Match(l.Model.Modules)
		if err != nil {
			return 0
		}
		width := 0
		for _, m := range targets {
			if _, fixed := lora.RankPattern.Value(m.Name); !fixed {
				width = max(width, min(m.In, m.Out))
			}
		}
		if least == 0 || width < least {
			least = width
		}
	}
	return least
}

// next describes a rung of the given rank that was not trained: memory by its own prediction, else both memory and time
// along the line through the last two rungs that count.
func (s standing) next(info Info, rank int) *plateau.NextRung {
	n := &plateau.NextRung{Rank: rank, Seeds: len(s.ladder.Rungs[0].grid().Trials)}
	if bytes := int64(s.extrapolate(rank, func(r Rung) float64 { return float64(r.peak(info.Platform)) })); bytes > 0 {
		n.PredictedBytes = &bytes
	}
	if bytes := s.predicted(rank); bytes > 0 {
		n.PredictedBytes = &bytes
	}
	if seconds := s.extrapolate(rank, Rung.trainSeconds); seconds > 0 {
		n.TrainSeconds = &seconds
	}
	return n
}

// predicted is the largest prediction that the trials of a rank made before their first step; 0 means none.
func (s standing) predicted(rank int) int64 {
	var bytes int64
	for _, r := range s.ladder.Rungs {
		for _, t := range r.Trials {
			if r.Rank == rank && t.Prediction != nil {
				bytes = max(bytes, t.Prediction.PredictedBytes)
			}
		}
	}
	return bytes
}

// extrapolate continues a quantity to a rank, never below its last value; 0 means that it was not measured.
func (s standing) extrapolate(rank int, of func(Rung) float64) float64 {
	if len(s.counted) == 0 {
		return 0
	}
	last := s.rung(s.climb.End)
	value := of(last)
	if s.climb.End < 1 || value == 0 || rank < last.Rank {
		return value
	}
	before := s.rung(s.climb.End - 1)
	if of(before) == 0 {
		return value
	}
	slope := (value - of(before)) / float64(last.Rank-before.Rank)
	return value + max(0, slope)*float64(rank-last.Rank)
}
