package report_test

import (
	"io"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
)

func BenchmarkReport(b *testing.B) {
	sweeptest.Sizes(b, func(b *testing.B, ladders int) {
		b.Helper()
		s := sweeptest.Large(ladders)
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
