package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/report/prose"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Text prints the comparison for people: the settings that differ, each rank, and what each sweep recommends.
func (d Diff) Text(w io.Writer, o Options) error {
	buffered := bufio.NewWriter(w)
	t := newText(buffered, o, Rule{})
	t.print(t.bold(wrap(fmt.Sprintf("A is sweep %s, B is sweep %s. Every difference is B − A.", d.A.Sweep, d.B.Sweep), t.o.Width, "")))
	t.print("")
	t.diffSettings(d.Settings)
	for _, l := range d.Ladders {
		t.print("")
		t.diffLadder(l)
	}
	t.print("")
	t.para("", "A and B are the means of val_loss over the seeds that both have finished, in nats per token. The interval holds their "+
		"difference with %s %% confidence (Student's t over the seeds, each paired with itself); one seed gives none. \"better\" names a sweep "+
		"where the whole interval is on its side. \"within noise\": the seeds of the two overlap, or there is one seed.",
		number(100*d.Confidence))
	for _, side := range d.sides() {
		t.print("")
		t.para(side.name+": ", "%s", side.Recommendation.Summary)
		for _, line := range side.onlyLines() {
			t.para("Only in "+side.name+": ", "%s", line)
		}
	}
	return cmp.Or(t.err, buffered.Flush())
}

type namedSide struct {
	name string
	DiffSide
}

func (d Diff) sides() []namedSide { return []namedSide{{"A", d.A}, {"B", d.B}} }

func (t *text) diffSettings(settings []DiffSetting) {
	if len(settings) == 0 {
		t.print("The settings are the same.")
		return
	}
	var rows [][]string
	for _, s := range settings {
		rows = append(rows, []string{s.Name, cmp.Or(strings.Join(s.A, ", "), "–"), cmp.Or(strings.Join(s.B, ", "), "–")})
	}
	t.print(Table{[]string{"setting", "A", "B"}, rows}.Plain("setting", "A", "B"))
}

func (t *text) diffLadder(l DiffLadder) {
	title := fmt.Sprintf("Ladder %d of A, %d of B", l.LadderA, l.LadderB)
	if axes := l.Cell.Axes(); axes != "" {
		title += ": " + axes
	}
	t.print(t.bold(title))
	switch {
	case l.Incomparable != "":
		t.para("  ", "Not compared: %s.", l.Incomparable)
		return
	case len(l.Ranks) == 0:
		t.print("  No rank has finished a seed in both.")
		return
	}
	var rows [][]string
	for _, r := range l.Ranks {
		rows = append(rows, r.row(digits(l.minGain)))
	}
	header := []string{"rank", "seeds", "A", "B", "difference", "better", "memory", "time"}
	t.print(Table{header, rows}.Plain(header[4:]...))
	for _, r := range l.Ranks {
		if r.SameTrials > 0 {
			t.para("  ", "Rank %d: %d of %d seeds are the same trial in both.", r.Rank, r.SameTrials, len(r.Seeds))
		}
	}
}

func (r DiffRank) row(decimals int) []string {
	memory, time := "–", "–"
	if r.PeakBytes != nil {
		memory = measurable(r.PeakMeasurable, signed(float64(*r.PeakBytes), trial.FormatBytes(abs(*r.PeakBytes))))
	}
	if r.TrainSeconds != nil {
		time = measurable(r.SecondsMeasurable, signed(*r.TrainSeconds, Seconds(math.Abs(*r.TrainSeconds))))
	}
	return []string{
		strconv.Itoa(r.Rank), strconv.Itoa(len(r.Seeds)), fixed(r.ValLossA, decimals), fixed(r.ValLossB, decimals),
		bounds(r.Difference, decimals), r.better(), memory, time,
	}
}

// better names the sweep that is certainly better at the rank; a dash where none is.
func (r DiffRank) better() string {
	switch d := r.Difference; {
	case d.Hi != nil && *d.Hi < 0:
		return "B"
	case d.Lo != nil && *d.Lo > 0:
		return "A"
	}
	return "–"
}

func measurable(yes bool, text string) string {
	if yes {
		return text
	}
	return "within noise"
}

func signed(change float64, amount string) string {
	if change < 0 {
		return "-" + amount
	}
	return "+" + amount
}

// onlyLines says what a sweep has alone, one line a ladder.
func (s DiffSide) onlyLines() []string {
	var lines []string
	last := 0
	for _, o := range s.Only {
		rank := fmt.Sprintf("rank %d (%s %s)", o.Rank, plural("seed", len(o.Seeds)), prose.List(o.Seeds))
		if o.Ladder == last {
			lines[len(lines)-1] += ", " + rank
			continue
		}
		where := ""
		if axes := o.Cell.Axes(); axes != "" {
			where = " (" + axes + ")"
		}
		lines, last = append(lines, fmt.Sprintf("ladder %d%s: %s", o.Ladder, where, rank)), o.Ladder
	}
	return lines
}
