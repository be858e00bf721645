package sweep

import (
	"fmt"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// concludeScreened says in a verdict how the ranks were chosen, or why they could not be.
func (s standing) concludeScreened(v *plateau.Verdict) {
	v.Screening = s.screening
	switch {
	case s.screening != nil && v.State != plateau.StateRunning:
		v.Reason += "; " + s.screening.Reason()
	case s.screening == nil && len(s.screens) > 0 && (s.end == endFailed || s.end == endUnstable || s.end == endOverTime):
		v.Advice = append(v.Advice, fmt.Sprintf("strategy: screen trains rank %d before all others; strategy: ladder climbs from rank %d and may "+
			"never need it", s.rank(), s.screens[0]))
	}
}
