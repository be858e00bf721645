package report_test

import (
	"fmt"

	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
)

// The facts of a sweep become a report: one recommendation, and every rung behind it.
func ExampleBuild() {
	r := report.Build(sweeptest.Large(1))
	fmt.Println(r.Recommendation.State, "at rank", *r.Recommendation.Rank)
	for _, rung := range r.Ladders[0].Rungs {
		fmt.Printf("rank %d: %.2f %s\n", rung.Rank, rung.ValLoss.Mean, *rung.Decision)
	}
	// Output:
	// plateau at rank 2
	// rank 1: 5.03 baseline
	// rank 2: 4.83 improved
	// rank 4: 4.83 flat
	// rank 8: 4.83 flat
}
