package sweep

import "github.com/ranksweep/ranksweep/sweep/plateau"

// concludeScreened says in a verdict how the ranks were chosen, or why they could not be.
func (s standing) concludeScreened(v *plateau.Verdict) {
	v.Screening = s.screening
	if s.screening == nil && len(s.screens) > 0 && (s.end == endFailed || s.end == endUnstable || s.end == endOverTime) {
		v.Advice = append(v.Advice, plateau.Finding{Code: plateau.AdviseClimbInstead, Over: s.rank(), Ranks: s.screens[:1]})
	}
}
