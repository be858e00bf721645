package plateau

import (
	"cmp"
	"slices"
)

// LooksLikeAccuracy reports whether all values lie in [0, 1] and their means rise with the rank, at more steps than they fall: they may
// well be values of which higher ones are better.
func LooksLikeAccuracy(rungs []Losses) bool {
	rises := 0
	var last float64
	for i, l := range rungs {
		if slices.ContainsFunc(l.ValLoss, func(v float64) bool { return v < 0 || v > 1 }) {
			return false
		}
		m := mean(l.ValLoss)
		if i > 0 {
			rises += cmp.Compare(m, last)
		}
		last = m
	}
	return rises > 0
}
