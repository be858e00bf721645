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
	if len(differences) < 2 {
		return plateau.Interval{Mean: a.ValLoss.Mean - b.ValLoss.Mean}
	}
	mean, sd := stat.MeanStdDev(differences, nil)
	n := float64(len(differences))
	half := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}.Quantile(1-(1-confidence)/2) * sd / math.Sqrt(n)
	return plateau.Interval{Mean: mean, Lo: new(mean - half), Hi: new(mean + half)}
}
