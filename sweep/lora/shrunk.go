package lora

import (
	"math"
	"slices"
)

// Shrunk returns the settings of an adapter whose modules are truncated to at most a rank: of rank_pattern's modules those above it.
// The alphas fall as r does, so that Scaling stays. Where r and a module's own rank do not fall alike, ScalingOf does not stay.
func (l Spec) Shrunk(rank int) Spec {
	low := l
	low.Rank = min(l.Rank, rank)
	factor := float64(low.Rank) / float64(l.Rank)
	if l.UseRSLoRA {
		factor = math.Sqrt(factor)
	}
	low.Alpha *= factor
	low.RankPattern, low.AlphaPattern = slices.Clone(l.RankPattern), slices.Clone(l.AlphaPattern)
	for i := range low.RankPattern {
		low.RankPattern[i].Value = min(low.RankPattern[i].Value, float64(rank))
	}
	for i := range low.AlphaPattern {
		low.AlphaPattern[i].Value *= factor
	}
	return low
}
