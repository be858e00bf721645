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
	if f.Gain != nil {
		gain = fmt.Sprintf(": it gains %s over rank %d", interval(f.Gain), min(rank, f.Over))
	}
	switch {
	case f.Code == plateau.ChoiceBetter:
		return fmt.Sprintf("rank %d is smaller than rank %d, which the others were compared with, and no worse on average", rank, f.Over)
	case f.Code == plateau.ChoiceBest && rank < f.Over:
		return fmt.Sprintf("rank %d has the best mean; open is whether rank %d, where the climb went on from, is worth it%s", rank, f.Over, gain)
	case f.Code == plateau.ChoiceBest:
		return fmt.Sprintf("rank %d has the best mean; open is whether that is certain%s", rank, gain)
	case f.Code == plateau.ChoiceEnough:
		return fmt.Sprintf("rank %d is the smallest whose mean is within min_gain of the best; open is whether rank %d, which has it, is worth "+
			"more%s", rank, f.Over, gain)
	default:
		return string(f.Code)
	}
}
