package plateau

import (
	"math"
	"slices"
)

// ResidualSD estimates noise_sd from complete rungs of several seeds: the standard deviation of one validation loss after
// removing what its rung and its seed share, the residual of a two-way layout without interaction,
// sqrt(Σ(y[r,s] − ȳ[r] − ȳ[s] + ȳ)² / ((R−1)(S−1))) (Montgomery, Design and Analysis of Experiments, "randomized complete
// block design"). Only seeds that every rung has count. It reports false with fewer than two rungs or two such seeds.
func ResidualSD(rungs []Losses) (float64, bool) {
	table := commonSeeds(rungs)
	if len(table) < 2 || len(table[0]) < 2 {
		return 0, false
	}
	rows, columns := len(table), len(table[0])
	rowMean, columnMean, grand := make([]float64, rows), make([]float64, columns), 0.0
	for r, row := range table {
		for s, y := range row {
			rowMean[r] += y / float64(columns)
			columnMean[s] += y / float64(rows)
			grand += y / float64(rows*columns)
		}
	}
	squares := 0.0
	for r, row := range table {
		for s, y := range row {
			residual := y - rowMean[r] - columnMean[s] + grand
			squares += residual * residual
		}
	}
	return math.Sqrt(squares / float64((rows-1)*(columns-1))), true
}

// SeedSD is the standard deviation of one validation loss over the seeds of one rung, pooled over the rungs: what seeds differ
// by before anything they share is removed. Only seeds that every rung has count. It reports false where ResidualSD does.
func SeedSD(rungs []Losses) (float64, bool) {
	table := commonSeeds(rungs)
	if len(table) < 2 || len(table[0]) < 2 {
		return 0, false
	}
	pooled := 0.0
	for _, row := range table {
		pooled += variance(row) / float64(len(table))
	}
	return math.Sqrt(pooled), true
}

// commonSeeds returns the losses of the seeds that all rungs have: one row per rung, one column per seed.
func commonSeeds(rungs []Losses) [][]float64 {
	if len(rungs) == 0 {
		return nil
	}
	common := slices.DeleteFunc(slices.Clone(rungs[0].Seeds), func(seed int64) bool {
		return slices.ContainsFunc(rungs, func(l Losses) bool { return !slices.Contains(l.Seeds, seed) })
	})
	table := make([][]float64, len(rungs))
	for r, l := range rungs {
		for _, seed := range common {
			table[r] = append(table[r], l.ValLoss[slices.Index(l.Seeds, seed)])
		}
	}
	return table
}
