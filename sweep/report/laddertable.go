package report

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"gonum.org/v1/gonum/stat"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// column is one column of a ladder's table. A column without any value is left out; where the table is too wide, those
// with the highest drop go first, those below leastDrop only where it must fit.
type column struct {
	header string
	drop   int // 0 means never
	cell   func(Rung) string
}

const (
	mostDrop  = 10
	leastDrop = 6 // of what a file as wide as a page does without
)

func (t *text) columns(l Ladder) []column {
	decimals := digits(l.Verdict.minGain())
	columns := []column{{"rank", 0, Rung.name}}
	for _, name := range l.Conditions.Tuned {
		columns = append(columns, column{name, 0, func(r Rung) string { return orNone(r.Tuned.value(name)) }})
	}
	return append(columns, []column{
		{"val_loss", 0, func(r Rung) string {
			if r.ValLoss == nil {
				return none
			}
			return r.mean(decimals)
		}},
		{l.Verdict.Screening.column(), 5, func(r Rung) string {
			return optional(r.ScreenedLoss, func(i plateau.Interval) string { return fixed(i.Mean, decimals) })
		}},
		{"gain [lo, hi]", 1, func(r Rung) string {
			if r.Gain == nil {
				return none
			}
			return bounds(*r.Gain, decimals)
		}},
		{"over", 7, func(r Rung) string { return optional(r.Incumbent, func(n int) string { return fmt.Sprint(n) }) }},
		{"decision", 0, decision},
		{"strikes", 8, func(r Rung) string {
			if r.Gain == nil || r.Count == nil {
				return none
			}
			return fmt.Sprintf("%d/%d", *r.Count, t.rule.Patience)
		}},
		{"forgetting", 6, func(r Rung) string {
			return optional(forgetting(r), func(v float64) string { return fixed(v, decimals) })
		}},
		{"params", 4, func(r Rung) string { return optional(nonZero(r.Cost.TrainableParams), count) }},
		{"memory", 2, func(r Rung) string { return optional(r.Cost.peak(), size) }},
		{"predicted", 10, func(r Rung) string { return orNone(r.Cost.predicted()) }},
		{"time", 3, func(r Rung) string { return optional(r.Cost.TrainSeconds, Seconds) }},
		{"tokens", 9, func(r Rung) string { return optional(nonZero(tokens(r)), count) }},
	}...)
}

// forgetting is the mean over the rung's trials; nil where none measured it.
func forgetting(r Rung) *float64 {
	var all []float64
	for _, t := range r.Trials {
		if t.Forgetting != nil {
			all = append(all, *t.Forgetting)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return new(stat.Mean(all, nil))
}

func tokens(r Rung) int64 {
	var most int64
	for _, t := range r.Trials {
		if t.Tokens != nil {
			most = max(most, *t.Tokens)
		}
	}
	return most
}

// decision says what the rule found, or how many trials are done or ended badly while it cannot look yet.
func decision(r Rung) string {
	switch {
	case r.Diverged:
		return plateau.FlagDiverged
	case r.Decision != nil:
		return string(*r.Decision)
	}
	if !r.started {
		return "not trained"
	}
	for _, bad := range []sweep.TrialState{sweep.TrialOverMemory, sweep.TrialOverTime, sweep.TrialUnstable, sweep.TrialFailed} {
		if n := inState(r, bad); n > 0 {
			return fmt.Sprintf("%d/%d %s", n, len(r.Trials), bad)
		}
	}
	return fmt.Sprintf("%d/%d done", inState(r, sweep.TrialDone), len(r.Trials))
}

func inState(r Rung, state sweep.TrialState) int {
	n := 0
	for _, t := range r.Trials {
		if t.State == state {
			n++
		}
	}
	return n
}

// table prints the ladder's rungs, without its least important columns where the width is short.
func (t *text) table(l Ladder) {
	if len(l.Rungs) == 0 {
		return
	}
	least := leastDrop
	if t.o.Fit {
		least = 1
	}
	for drop := mostDrop + 1; ; drop-- {
		table := rungTable(t.columns(l), l.rows(), drop)
		if drop == least || width(table.Plain("decision")) <= t.o.Width {
			t.tabulate("", table, "decision")
			return
		}
	}
}

// rungTable leaves out columns whose drop is that or more, and those without a value.
func rungTable(columns []column, rungs []Rung, drop int) Table {
	var header []string
	rows := make([][]string, len(rungs))
	for _, c := range columns {
		if c.drop >= drop || empty(c, rungs) {
			continue
		}
		header = append(header, c.header)
		for i, r := range rungs {
			rows[i] = append(rows[i], c.cell(r))
		}
	}
	return Table{header, rows}
}

func empty(c column, rungs []Rung) bool {
	for _, r := range rungs {
		if c.cell(r) != none {
			return false
		}
	}
	return true
}

func width(s string) int {
	widest := 0
	for line := range strings.Lines(s) {
		widest = max(widest, utf8.RuneCountInString(strings.TrimRight(line, "\n")))
	}
	return widest
}

// RungText says in one line what the rule found about a rung.
func RungText(r plateau.RungVerdict, minGain float64) string {
	decimals := digits(minGain)
	text := fmt.Sprintf("rank %d: val_loss %s", r.Rank, plusMinus(r.ValLoss, decimals))
	if r.Gain != nil {
		text += fmt.Sprintf(", gain %s over rank %d", bounds(*r.Gain, decimals), r.Incumbent)
	}
	return text + ": " + string(r.Decision)
}
