package report

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
)

// TestRecommendsWithoutTheLowest: a rank that is complete is recommended though the lowest is not, because it is tried again or a grid was
// extended by it. The summary says so. Where limits.time was spent then, too.
func TestRecommendsWithoutTheLowest(t *testing.T) {
	t.Parallel()
	const says = ": rank 1, the lowest, is not complete, and the others are compared with it; "
	complete := func(rank int, loss float64) rung {
		return rung{rank: rank, losses: []float64{loss, loss, loss + 0.001}, train: 4.1}
	}
	open, untried := rung{rank: 1, running: true}, rung{rank: 1, waiting: true}
	for name, test := range map[string]struct {
		rungs []rung
		limit time.Duration // which is spent
		want  int           // the rank
		says  string
	}{
		"the best":       {[]rung{open, complete(2, 4.5), complete(4, 4.2)}, 0, 4, "Rank 4 leads so far, the sweep is not finished" + says},
		"the cheapest":   {[]rung{untried, complete(2, 4.2), complete(4, 4.2)}, 0, 2, "Rank 2 leads so far, the sweep is not finished" + says},
		"time is spent":  {[]rung{untried, complete(2, 4.5)}, time.Minute, 2, "Use rank 2" + says},
		"none":           {[]rung{open, {rank: 2, running: true}}, 0, 0, "No recommendation yet: no rank has finished all its seeds."},
		"the lowest has": {[]rung{complete(1, 4.5), {rank: 2, running: true}}, 0, 1, "Rank 1 leads so far, the sweep is not finished: rank 2: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := fixture{
				name: "g", seeds: []int64{0, 1, 2}, ladders: []fixtureLadder{{dropout: "0", rungs: test.rungs}},
				limits: sweep.Limits{Time: test.limit}, elapsed: test.limit,
			}
			r := Build(f.snapshot())
			got, verdict := r.Recommendation, r.Ladders[0].Verdict
			if !strings.HasPrefix(got.Summary, test.says) {
				t.Errorf("the summary is %q, want %q", got.Summary, test.says)
			}
			if test.want == 0 {
				if got.Rank != nil || verdict.RecommendedRank != nil {
					t.Errorf("it recommends %v, %v, want none", got.Rank, verdict.RecommendedRank)
				}
				return
			}
			if got.Rank == nil || *got.Rank != test.want || *verdict.RecommendedRank != test.want || got.ValLoss == nil {
				t.Errorf("it recommends %+v and %v, want rank %d with its loss", got, verdict.RecommendedRank, test.want)
			}
			printed := string(text2(t, r, Options{}))
			if err := r.Markdown(io.Discard); err != nil || strings.Contains(printed, "NaN") {
				t.Errorf("%v: it prints\n%s", err, printed)
			}
		})
	}
}
