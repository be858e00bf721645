package main

import (
	"math"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// sparkline draws a curve in at most so many columns, a block per stretch of it: its lowest value is the lowest block. Values that are no
// numbers are spaces.
func sparkline(curve []trial.StepTrainLoss, width int) string {
	const blocks = "▁▂▃▄▅▆▇█"
	curve = trial.Thin(curve, width)
	var values []float64
	for _, p := range curve {
		if !math.IsNaN(p.TrainLoss) && !math.IsInf(p.TrainLoss, 0) {
			values = append(values, p.TrainLoss)
		}
	}
	if len(values) == 0 {
		return ""
	}
	lo, hi := slices.Min(values), slices.Max(values)
	levels := []rune(blocks)
	var b strings.Builder
	for _, p := range curve {
		switch share := (p.TrainLoss - lo) / (hi - lo); {
		case math.IsNaN(p.TrainLoss), math.IsInf(p.TrainLoss, 0):
			b.WriteByte(' ')
		case hi == lo:
			b.WriteRune(levels[0])
		default:
			b.WriteRune(levels[int(math.Round(share*float64(len(levels)-1)))])
		}
	}
	return b.String()
}
