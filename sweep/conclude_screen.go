package sweep

import "github.com/ranksweep/ranksweep/sweep/plateau"

// strategy is what trains a larger rank before all others.
func (s standing) strategy() Strategy {
	if s.scouting {
		return StrategyScout
	}
	return StrategyScreen
}

// concludeScreened says in a verdict how the ranks were chosen, or why they could not be.
func (s standing) concludeScreened(v *plateau.Verdict) {
	v.Screening = s.screening
	if s.screening != nil && len(s.counted) == 0 {
		v.MinGain = s.screening.MinGain
	}
	if s.end == endScouted {
		v.RecommendedRank = s.screening.Knee
		v.Reason = plateau.Finding{Code: plateau.ReasonScouted, Ranks: []int{s.screening.Knee}}
		v.Advice = append(v.Advice, plateau.Finding{Code: plateau.AdviseCertify})
	}
	if s.screening == nil && len(s.screens) > 0 && (s.end == endFailed || s.end == endUnstable || s.end == endOverTime) {
		v.Advice = append(v.Advice, plateau.Finding{
			Code: plateau.AdviseClimbInstead, Over: s.rank(), Ranks: s.screens[:1], Name: string(s.strategy()),
		})
	}
}
