package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
)

// Line is a piece of the text report before it is laid out, for formats that lay it out themselves. One of Heading, Text and Table is
// set.
type Line struct {
	Heading string
	Label   string // of Text, such as "why"; empty of a plain sentence
	Text    string
	Table   *Table
}

// recorded returns what render prints, not laid out.
func recorded(rule Rule, render func(*text)) []Line {
	t := newText(io.Discard, Options{Width: math.MaxInt32}, rule)
	t.record = true
	render(t)
	return t.lines
}

// heading prints a line in bold.
func (t *text) heading(s string) {
	if t.record {
		t.lines = append(t.lines, Line{Heading: s})
		return
	}
	if t.o.Fit && width(s) > t.o.Width {
		s = wrap(s, t.o.Width, "")
	}
	t.print(t.bold(s))
}

// tabulate prints a table, each line behind indent.
func (t *text) tabulate(indent string, table Table, left ...string) {
	if t.record {
		t.lines = append(t.lines, Line{Table: &table})
		return
	}
	if t.o.Fit {
		table = table.Fit(t.o.Width-len(indent), false, droppable()...)
	}
	for line := range strings.Lines(table.Plain(left...)) {
		t.print(indent + strings.TrimSuffix(line, "\n"))
	}
}

// droppable are the columns that tables of a report can do without, those that go first in front.
func droppable() []string {
	return []string{
		"share of ‖ΔW‖²", "value there", "over", "seeds", "tokens", "params", "memory", "time", "gain [lo, hi]",
	}
}

// Lead is what stands on top of a report, as sentences. Those that do not apply are empty.
type Lead struct {
	Summary  string
	Reaches  string   // loss and cost of the recommended rank
	Larger   string   // what a step up buys
	Smaller  string   // what a step down saves
	Cheapest string   // a rung with fewer parameters within min_gain
	More     []string // values at the edge of their axes, how to serve the adapter, what is still missing
	Next     string   // what to do now
}

// Lead returns the report's first sentences.
func (r Report) Lead() Lead {
	rec := r.Recommendation
	out := Lead{Summary: rec.Summary}
	if r.recommends() {
		decimals := digits(r.minGain())
		out.Reaches, out.Larger, out.Smaller, out.Cheapest = rec.reaches(decimals), rec.larger(decimals), rec.smaller(decimals),
			rec.cheapest(decimals)
		out.More = append(r.edges(), Served(*rec.Serving, r.Shell.Command("export", r.Sweep, "--merged", "--to", "DIR")))
	}
	out.More = append(out.More, rec.missing()...)
	out.Next = r.next()
	return out
}

// next says what to do about a final recommendation, or how a sweep goes on that nobody works on; empty where the advice on the ladder
// says more than a sentence.
func (r Report) next() string {
	switch {
	case !r.Recommendation.Final && r.Left:
		return "Next: " + r.Shell.Command("resume", r.Sweep)
	case !r.recommends() || !r.Recommendation.Final:
		return ""
	}
	export := r.Shell.Command("export", r.Sweep, "--to", "DIR") + " writes the adapter"
	extend := r.Shell.Extend()
	switch l := r.Ladders[r.Recommendation.Ladder-1]; {
	case l.Verdict.State == plateau.StateStillImproving && l.Verdict.Next != nil:
		return fmt.Sprintf("Next: write rank: %s into the grid's lora, then: %s (no finished trial is trained again). Or stay: %s.",
			inBrackets(append(l.ranks(), l.Verdict.Next.Rank)), extend, export)
	case l.Verdict.State == plateau.StateLikelyPlateau && r.Rule.Stop == plateau.StopLikely && len(r.Seeds) > 1:
		return fmt.Sprintf("Next: %s; %s trains seeds that may make it certain.", export, r.Shell.Command("confirm", r.Sweep))
	case l.Verdict.State == plateau.StateInconclusive && slices.Contains(l.Verdict.AdviceCodes, plateau.AdviseSeeds):
		return fmt.Sprintf("Next: write more seeds into the grid's seeds, as many as the advice says, then: %s (no finished trial is trained "+
			"again).", extend)
	case l.Verdict.State == plateau.StateInconclusive:
		return ""
	}
	return fmt.Sprintf("Next: %s.", export)
}

// ranks are those of the grid.
func (l Ladder) ranks() []int {
	var ranks []int
	for _, r := range l.Rungs {
		ranks = append(ranks, r.Rank)
	}
	return ranks
}

// inBrackets is a list as a grid has it.
func inBrackets(numbers []int) string { return strings.ReplaceAll(fmt.Sprint(numbers), " ", ", ") }

// recommends reports whether there is a rank to recommend: one that diverged is none.
func (r Report) recommends() bool {
	rec := r.Recommendation
	return rec.Rank != nil && r.Ladders[rec.Ladder-1].Verdict.Code != plateau.ReasonDiverged
}

// sentences are all of them in their order.
func (l Lead) sentences() []string {
	var all []string
	for _, s := range slices.Concat([]string{l.Reaches, l.Larger, l.Smaller, l.Cheapest}, l.More, []string{l.Next}) {
		if s != "" {
			all = append(all, s)
		}
	}
	return all
}

func (r Recommendation) reaches(decimals int) string {
	return fmt.Sprintf("Rank %d reaches val_loss %s nats per token (perplexity %s%s) with %s.", *r.Rank,
		fixed(*r.ValLoss, decimals), number(roundTo(math.Exp(*r.ValLoss), 4)), r.over, costs(r.Cost))
}

func (r Recommendation) missing() []string {
	var all []string
	for _, m := range r.Missing {
		all = append(all, fmt.Sprintf("Still missing: rank %d of ladder %d, %s %s.", m.Rank, m.Ladder, plural("seed", len(m.Seeds)),
			prose.List(m.Seeds)))
	}
	return all
}

// Header returns what was run, in sentences, warnings last.
func (r Report) Header() []Line { return recorded(r.Rule, func(t *text) { t.header(r) }) }

// Legends explain the columns of the ladders' tables.
func (r Report) Legends() []Line { return recorded(r.Rule, func(t *text) { t.legends(r) }) }

// Verdict returns a ladder's verdict with what it rests on; its headline comes first.
func (r Report) Verdict(l Ladder) []Line {
	return recorded(r.Rule, func(t *text) {
		t.verdict(l, r.Shell)
		t.metrics(l)
	})
}

// Lines returns the arithmetic of an explanation, rank by rank; the verdict is not repeated.
func (e Explanation) Lines() []Line { return recorded(e.Rule, func(t *text) { t.arithmetic(e) }) }

// Table is a ladder's table with every column that has a value.
func (r Report) Table(l Ladder) Table {
	t := &text{rule: r.Rule}
	return rungTable(t.columns(l), l.rows(), math.MaxInt)
}

// AxisTable has what each value of an axis recommends.
func (r Report) AxisTable(a Axis) Table { return axisTable(a, len(r.Axes) > 1, digits(r.minGain())) }

// Title is the ladder's number and what tells its cell from the others.
func (l Ladder) Title() string { return l.title() }

// Rows are the ladder's rungs and, as the last of them, its reference.
func (l Ladder) Rows() []Rung { return l.rows() }

// Name is the rank, or "full" of a reference.
func (r Rung) Name() string { return r.name() }

// Finding is the rule's decision, or how far the trials are while it cannot look yet.
func (r Rung) Finding() string { return decision(r) }

// Climb is what a step up from one judged rung of a ladder to the next bought.
type Climb struct {
	From, To Rung
	Gain     plateau.Interval // the rule's where it compared the two, else paired by seed
}

// Climbs returns the steps of a ladder, ascending.
func (r Report) Climbs(l Ladder) []Climb {
	var all []Climb
	var from *Rung
	for _, to := range l.Rungs {
		if to.ValLoss == nil {
			continue
		}
		if from != nil {
			all = append(all, Climb{*from, to, newStep(to, *from, to, r.Rule.Confidence).Gain})
		}
		from = &to
	}
	return all
}

// Numbers writes numbers as a ladder's text does.
type Numbers struct{ decimals int }

// Numbers are the ladder's.
func (l Ladder) Numbers() Numbers { return Numbers{digits(l.Verdict.minGain())} }

// Loss writes a loss with as many decimals as its min_gain deserves.
func (n Numbers) Loss(v float64) string { return fixed(v, n.decimals) }

// Mean writes a judged rung's loss with half the width of its interval, and a mark where it is over fewer seeds than the grid has.
func (n Numbers) Mean(r Rung) string { return r.mean(n.decimals) }

// Bounds writes a mean and its interval.
func (n Numbers) Bounds(i plateau.Interval) string { return bounds(i, n.decimals) }

// Number writes v as people do: 0.003, 2e-05, 16.
func Number(v float64) string { return number(v) }

// Chance writes a probability, never as a certainty.
func Chance(p float64) string { return chance(p) }

// Axes are the settings that differ between the ladders.
func (l Ladder) Axes() []sweep.Setting { return sweep.Cell(l.Cell).Axes() }
