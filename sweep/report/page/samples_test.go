package page

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/cmd/sweep/browsertest"
	"github.com/ranksweep/ranksweep/sweep/report"
)

// samples are answers that try to be more than text.
func samples() *report.Samples {
	return &report.Samples{
		Sweep: "prose", Ladder: 1, Model: "acme/small", MaxNewTokens: 64,
		Writers: []report.SampleWriter{
			{Name: "base"},
			{Name: "rank 8", Rank: new(8), Seed: new(int64(1)), Trial: "c6595f69c9b67c3e", ValLoss: new(4.75), Recommended: true},
		},
		Samples: []report.Sample{
			{Row: new(7), Prompt: "\n<|user|>\nWhere?", Expected: new("</pre><script>alert(5)</script>"), Answers: []report.SampleAnswer{
				{Text: strings.Repeat("word", 200), Tokens: 64},
				{Text: "</pre><script>alert(5)</script>", Tokens: 12, Ended: true, Exact: true},
			}},
			{Prompt: "\tWho?", Answers: []report.SampleAnswer{{Ended: true}, {Text: "  Nobody \u202eelse.\n", Tokens: 4, Ended: true}}},
		},
	}
}

func TestSamples(t *testing.T) {
	t.Parallel()
	s := train(ladder(1, 2, 4), 4)
	page := written(t, s, Beside{Samples: samples()})
	if !strings.Contains(page, `<a href="#samples">Samples</a>`) {
		t.Error("nothing leads to the samples")
	}
	main, _ := parts(t, page)
	from, to := strings.Index(main, `<section id="samples"`), strings.Index(main, `<section id="trials"`)
	if from < 0 || to < from {
		t.Fatal("no samples before the trials")
	}
	path := filepath.Join("testdata", "samples.html")
	if *update {
		if err := os.WriteFile(path, []byte(main[from:to]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("read golden file (write it with -update): %v", err)
	}
	if diff := cmp.Diff(string(want), main[from:to]); diff != "" {
		t.Errorf("the samples differ (-want +got), rewrite them with -update:\n%s", diff)
	}
}

// checkSamples: the answers are text, as they were written.
func checkSamples(ctx context.Context, t *testing.T) {
	t.Helper()
	got := browsertest.Eval[[]string](ctx, t, `[...document.querySelectorAll("#samples pre")].map(e => e.textContent)`)
	want := []string{
		"<|user|>\nWhere?", "</pre><script>alert(5)</script>", strings.Repeat("word", 200), "</pre><script>alert(5)</script>", "\tWho?",
		"  Nobody \uFFFDelse.",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("texts of the samples (-want +got):\n%s", diff)
	}
}
