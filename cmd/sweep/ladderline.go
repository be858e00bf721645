package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report"
)

// climbText is a ladder as "1 ✓ 2 ✓ 4 ✓ [8] 16 …" in at most width columns: finished ranks, the one that trains, the next. busy are the
// ranks that the ladder waits for and that train. What it lacks room for goes from the left.
func climbText(l sweep.Ladder, v plateau.Verdict, busy map[int]bool, width int) string {
	marks, current := climbMarks(l, v, busy)
	for len(marks) > 1 && ansi.StringWidth(strings.Join(marks, " ")) > width {
		switch {
		case current > 1 || current < 0:
			marks, current = append([]string{ellipsis}, marks[2:]...), current-1
		default:
			marks = marks[:len(marks)-1]
		}
	}
	return ansi.Truncate(strings.Join(marks, " "), width, ellipsis)
}

// climbMarks returns the marks, and which of them is the current one: -1 where none is.
func climbMarks(l sweep.Ladder, v plateau.Verdict, busy map[int]bool) (marks []string, current int) {
	now := l.Current(v, busy)
	current = -1
	for i, r := range l.Rungs {
		switch {
		case i == now:
			current = len(marks)
			marks = append(marks, fmt.Sprintf("[%d]", r.Rank))
		case counted(v, r.Rank):
			marks = append(marks, fmt.Sprintf("%d ✓", r.Rank))
		case r.Lost():
			marks = append(marks, fmt.Sprintf("%d ✗", r.Rank))
		case now >= 0 && i == now+1:
			marks = append(marks, fmt.Sprint(r.Rank))
		case now >= 0 && i > now:
			return append(marks, ellipsis), current
		}
	}
	return marks, current
}

func counted(v plateau.Verdict, rank int) bool {
	return slices.ContainsFunc(v.Rungs, func(r plateau.RungVerdict) bool { return r.Rank == rank })
}

// outlookText is "3 of at most 12 trials, 4s to 2m05s left".
func outlookText(o sweep.Outlook) string {
	if o.Over == o.Of {
		return plural(o.Of, "trial") + " over"
	}
	text := fmt.Sprintf("%d of at most %s", o.Over, plural(o.Of, "trial"))
	if left := report.Left(o); left != "" {
		return text + ", " + left
	}
	return text
}
