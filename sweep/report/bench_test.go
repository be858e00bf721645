package report_test

import (
	"fmt"
	"io"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
)

func BenchmarkReport(b *testing.B) {
	for _, ladders := range []int{10, 1_000, 10_000} {
		b.Run(fmt.Sprintf("ladders=%d", ladders), func(b *testing.B) {
			if testing.Short() && ladders > 1_000 {
				b.Skip("large")
			}
			s := sweeptest.Large(ladders)
			b.ReportAllocs()
			for b.Loop() {
				r := report.Build(s)
				if state := r.Ladders[0].Verdict.State; state != plateau.StatePlateau {
					b.Fatalf("the first ladder is %s", state)
				}
				if err := r.Text(io.Discard, report.Options{Width: 100}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
