package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/report/prose"
)

// Markdown writes the report for a pull request: the recommendation, the ladders side by side where there are several, the table of the
// recommended one, and its advice.
func (r Report) Markdown(w io.Writer) error {
	m := &markdown{w: bufio.NewWriter(w)}
	lead := r.Lead()
	m.para("**%s**", escaped(lead.Summary))
	if lead.Reaches != "" {
		m.para("%s", escaped(lead.Reaches))
	}
	m.list(append([]string{lead.Larger, lead.Smaller, lead.Cheapest}, lead.More...)...)
	if lead.Next != "" {
		m.para("%s", escaped(lead.Next))
	}
	if len(r.Ladders) > 1 {
		m.para("%s", r.ladders().Markdown())
	}
	if len(r.Ladders) > 0 {
		l := r.Ladders[max(1, r.Recommendation.Ladder)-1]
		if len(r.Ladders) > 1 {
			m.para("%s", escaped(l.title()+":"))
		}
		if len(l.Rungs) > 0 {
			m.para("%s", r.Table(l).plain().Markdown())
		}
		m.para("%s", escaped(fmt.Sprintf("%s, at %s.", l.headline(), l.Conditions)))
		m.list(slices.Concat(l.footnotes(r.Rule), r.Shell.Advice(l.Verdict.found))...)
	}
	ran := fmt.Sprintf("Sweep %s, %s %s, backend %s. %s", r.Sweep, plural("seed", len(r.Seeds)), prose.List(r.Seeds), orNone(r.Backend),
		r.Rule.legend())
	terms := prose.NewGlossary().Explain(m.said.String() + ran)
	m.para("<sub>%s Words: %s</sub>", escaped(ran), escaped(prose.Meanings(terms)))
	return cmp.Or(m.err, m.w.Flush())
}

// ladders has one row for each.
func (r Report) ladders() Table {
	t := Table{Header: []string{"ladder", "cell", "rank", "val_loss", "verdict"}}
	for _, l := range r.Ladders {
		rank, loss := none, none
		if i := recommended(l); i >= 0 && !l.outraced() {
			rank, loss = strconv.Itoa(l.Rungs[i].Rank), l.Rungs[i].mean(digits(l.Verdict.minGain()))
		}
		t.Rows = append(t.Rows, []string{strconv.Itoa(l.Number), l.Cell.Axes(), rank, loss, string(l.Verdict.State)})
	}
	return t.plain()
}

// plain is the table with its cells escaped; the writer of tables does so for | alone.
func (t Table) plain() Table {
	out := Table{Header: t.Header, Rows: make([][]string, len(t.Rows))}
	for i, row := range t.Rows {
		for _, cell := range row {
			out.Rows[i] = append(out.Rows[i], escaped(cell))
		}
	}
	return out
}

// markdown writes paragraphs, one empty line between two, and keeps the first error.
type markdown struct {
	w       *bufio.Writer
	started bool
	said    strings.Builder
	err     error
}

func (m *markdown) para(format string, args ...any) {
	if m.started {
		format = "\n" + format
	}
	m.started = true
	text := fmt.Sprintf(format+"\n", args...)
	m.said.WriteString(text)
	if m.err == nil {
		_, m.err = m.w.WriteString(text)
	}
}

// list leaves out what is empty.
func (m *markdown) list(items ...string) {
	var lines []string
	for _, item := range items {
		if item != "" {
			lines = append(lines, "- "+escaped(item))
		}
	}
	if len(lines) > 0 {
		m.para("%s", strings.Join(lines, "\n"))
	}
}

// Markdown that names and errors might contain by chance. An underscore within a word is none, nor are brackets without a link behind.
var (
	markup      = regexp.MustCompile("[\\\\`*<~]|\\]\\(")
	underscores = regexp.MustCompile(`\b_|_\b`)
)

// escaped is text that Markdown shows as it stands, on one line.
func escaped(s string) string {
	s = strings.ReplaceAll(s, noBreak, " ")
	s = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || Hidden(r) {
			return ' '
		}
		return r
	}, s)
	s = markup.ReplaceAllStringFunc(s, func(m string) string { return strings.Replace(`\`+m, `\](`, `]\(`, 1) })
	return underscores.ReplaceAllString(s, `\_`)
}
