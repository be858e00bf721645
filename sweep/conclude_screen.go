package sweep

import "fmt"

// concludeScreened says in a verdict how the ranks were chosen, or why they could not be.
func (s standing) concludeScreened(v *Verdict) {
	v.Screening = s.screening
	switch {
	case s.screening != nil && v.State != StateRunning:
		v.Reason += "; " + s.screening.reason()
	case s.screening == nil && len(s.screens) > 0 && (s.end == endFailed || s.end == endUnstable || s.end == endOverTime):
		v.Advice = append(v.Advice, fmt.Sprintf("strategy: screen trains rank %d before all others; strategy: ladder climbs from rank %d and may "+
			"never need it", s.rank(), s.screens[0]))
	}
}

// reason says what was screened and what that spared.
func (s Screening) reason() string {
	text := fmt.Sprintf("screened: rank %d was trained first, and its adapters truncated to lower ranks pointed to rank %d", s.Rank, s.Knee)
	if len(s.Ranks) == 0 {
		return fmt.Sprintf("screened: rank %d is the largest that could be trained, and has no lower one to truncate it to", s.Rank)
	}
	if len(s.Skipped) == 0 {
		return text + ", but the climb took every rank"
	}
	return text + fmt.Sprintf(", so %s %s %s left out", either(len(s.Skipped), "rank", "ranks"), listInts(s.Skipped), either(len(s.Skipped), "was", "were"))
}
