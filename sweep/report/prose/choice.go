package prose

import (
	"fmt"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// Choice says why the recommended rank is not the incumbent, and what that leaves open; empty where it is.
func Choice(v plateau.Verdict) string {
	if v.Choice == nil || v.State == plateau.StateRunning {
		return ""
	}
	f := *v.Choice
	rank := f.Ranks[0]
	gain := ""
	if f.Gain != nil && !saysGain(v.Reason, f) {
		gain = fmt.Sprintf(": it gains %s over rank %d", interval(f.Gain), min(rank, f.Over))
	}
	switch {
	case f.Code == plateau.ChoiceBetter:
		return fmt.Sprintf("rank %d is smaller than rank %d, which larger ones were compared with, and no worse on average", rank, f.Over)
	case f.Code == plateau.ChoiceBest && rank < f.Over:
		return fmt.Sprintf("rank %d has the best mean; whether rank %d, where the climb went on from, is worth it remains open%s",
			rank, f.Over, gain)
	case f.Code == plateau.ChoiceBest:
		return fmt.Sprintf("rank %d has the best mean, but that it is better is not certain%s", rank, gain)
	case f.Code == plateau.ChoiceEnough:
		return fmt.Sprintf("rank %d is the smallest whose mean is within min_gain of the best; whether rank %d, which has the best, is worth "+
			"more remains open%s", rank, f.Over, gain)
	default:
		return string(f.Code)
	}
}

// saysGain reports whether the reason, which follows the choice, has the same gain with its interval.
func saysGain(reason, choice plateau.Finding) bool {
	return reason.Code == plateau.ReasonOpen && interval(reason.Gain) == interval(choice.Gain)
}
