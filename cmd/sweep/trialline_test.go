package main

import (
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// TestTrialLineFitsEveryWidth: the least important parts go first, step and loss last.
func TestTrialLineFitsEveryWidth(t *testing.T) {
	t.Parallel()
	n := trialNews{
		name: "rank 16 seed 0", step: 400, steps: 1000, epochs: 2, compiled: true, trainLoss: new(4.9), valLoss: new(4.8), memory: 1 << 30,
		speed: 12345, left: 125 * time.Second, timed: true,
	}
	for width, want := range map[int]string{
		120: "rank 16 seed 0 ━━━━━━─────────  step 400/1000  loss 4.9000  val 4.8000  12 345 tok/s  1 GiB  epoch 0.80/2.00  2m05s left",
		80:  "rank 16 seed 0  step 400/1000  loss 4.9000  12 345 tok/s  1 GiB  2m05s left",
		40:  "rank 16 seed 0  400/1000  4.9000  2m05s",
		20:  "rank 16 seed 0",
		8:   "rank 16…",
	} {
		if got := n.line().render(width); got != want {
			t.Errorf("at %d columns:\n%s\nwant\n%s", width, got, want)
		}
	}
	for width := range 200 {
		if got := ansi.StringWidth(n.line().render(width)); got > width {
			t.Errorf("%d columns at %d", got, width)
		}
	}
}

// TestClimbText draws a ladder in the middle of its climb, at its end, and with a rank that failed.
func TestClimbText(t *testing.T) {
	t.Parallel()
	var l sweep.Ladder
	for _, rank := range []int{1, 2, 4, 8, 16, 32} {
		l.Rungs = append(l.Rungs, sweep.Rung{Rank: rank})
	}
	climbing := plateau.Verdict{State: plateau.StateRunning, Rungs: []plateau.RungVerdict{{Rank: 1}, {Rank: 2}, {Rank: 4}}}
	ended := plateau.Verdict{State: plateau.StatePlateau, Rungs: append(climbing.Rungs, plateau.RungVerdict{Rank: 8})}
	failed := l
	failed.Rungs = append([]sweep.Rung(nil), l.Rungs...)
	failed.Rungs[3].Trials = []sweep.TrialFacts{{Attempts: []sweep.AttemptFacts{{Outcome: &trial.Outcome{State: trial.OutcomeUnstable}}}}}
	for _, test := range []struct {
		ladder sweep.Ladder
		v      plateau.Verdict
		busy   map[int]bool
		width  int
		want   string
	}{
		{l, climbing, map[int]bool{8: true}, 80, "1 ✓ 2 ✓ 4 ✓ [8] 16 …"},
		{l, climbing, nil, 80, "1 ✓ 2 ✓ 4 ✓ [8] 16 …"},
		{l, climbing, map[int]bool{8: true}, 16, "… 4 ✓ [8] 16 …"},
		{l, climbing, map[int]bool{8: true}, 5, "… [8]"},
		{l, plateau.Verdict{State: plateau.StateRunning}, nil, 80, "[1] 2 …"},
		{l, ended, nil, 80, "1 ✓ 2 ✓ 4 ✓ 8 ✓"},
		{failed, plateau.Verdict{State: plateau.StateIncomplete, Rungs: climbing.Rungs}, nil, 80, "1 ✓ 2 ✓ 4 ✓ 8 ✗"},
	} {
		if got := climbText(test.ladder, test.v, test.busy, test.width); got != test.want {
			t.Errorf("at %d columns: %q, want %q", test.width, got, test.want)
		}
	}
}

// TestWrapLines: lines break at spaces, but within no number, date, flag or path.
func TestWrapLines(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"at most 1 234 567 890 tokens": "at most\n1 234 567 890\ntokens",
		"begun 2026-11-29T21:05":       "begun\n2026-11-29T21:05",
		"peak of 1 110 MiB at 97.5 %":  "peak of\n1 110 MiB at\n97.5 %",
		"│ a table │":                  "│ a table │",
	} {
		if got := wrapLines(text, 16); got != want {
			t.Errorf("wrapLines(%q) = %q, want %q", text, got, want)
		}
	}
	if got := wrapLines("no columns, no breaks", 0); got != "no columns, no breaks" {
		t.Errorf("without a terminal: %q", got)
	}
}

func TestPrintable(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain – ✓\n\tnext":       "plain – ✓\n\tnext",
		"a\x1b[2Jb\rc\x07\x7f":    `a\u001b[2Jb\u000dc\u0007\u007f`,
		"\u009bK turned\u202eend": `\u009bK turned\u202eend`,
		"no text: \xff":           `no text: \xff`,
		"lines\u2028\u2029\u0085": `lines\u2028\u2029\u0085`,
		"\u2066a\u2069\u200f":     `\u2066a\u2069\u200f`,
		"lines\r\nof Windows\r\n": "lines\nof Windows\n",
	} {
		if got := printable(text); got != want {
			t.Errorf("printable(%q) = %q, want %q", text, got, want)
		}
	}
	if got := styled("\x1b[1mHeading\x1b[0m \x1b[31mred"); got != "\x1b[1mHeading\x1b[0m \\u001b[31mred" {
		t.Errorf("styled = %q", got)
	}
}
