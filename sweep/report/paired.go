package report

import (
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// pairedDifference returns the mean of a − b over the seeds both have, with Student bounds one-sided at (1−confidence)/2
// as the plateau rule's; below two common seeds it is the difference of the means, without bounds. It only describes two rungs of
// maybe different ladders: the verdicts rest on the rule's moderated variance, never on this.
func pairedDifference(a, b Rung, confidence float64) plateau.Interval {
	differences := pairedLosses(a, b)
	mean := meanDifference(a, b)
	if len(differences) < 2 {
		return plateau.Interval{Mean: mean}
	}
	n := float64(len(differences))
	half := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}.Quantile(1-(1-confidence)/2) * stat.StdDev(differences, nil) / math.Sqrt(n)
	return plateau.Interval{Mean: mean, Lo: new(mean - half), Hi: new(mean + half)}
}

// meanDifference is the mean of pairedDifference.
func meanDifference(a, b Rung) float64 {
	if differences := pairedLosses(a, b); len(differences) >= 2 {
		return stat.Mean(differences, nil)
	}
	return a.ValLoss.Mean - b.ValLoss.Mean
}

// pairedLosses returns a − b for each seed that both have.
func pairedLosses(a, b Rung) []float64 {
	losses := map[int64]float64{}
	for _, t := range b.Trials {
		if t.ValLoss != nil {
			losses[t.Seed] = *t.ValLoss
		}
	}
	var differences []float64
	for _, t := range a.Trials {
		if other, ok := losses[t.Seed]; ok && t.ValLoss != nil {
			differences = append(differences, *t.ValLoss-other)
		}
	}
	return differences
}
