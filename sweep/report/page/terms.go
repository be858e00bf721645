package page

import (
	"strings"

	"github.com/ranksweep/ranksweep/sweep/report"
)

// Each section explains the terms that stand in it and not in the first one, which every page has.

// glossary has explained what the first section says.
func (b *builder) glossary() *report.Glossary {
	g := b.told
	return &g
}

// text is what a chart says in words.
func (c *chart) text() string {
	if c == nil {
		return ""
	}
	said := []string{c.Title, c.Alt, c.Note, c.X.Title, c.Y.Title}
	for _, k := range c.Keys {
		said = append(said, k.Text)
	}
	return strings.Join(said, "\n")
}

func tableText(t report.Table) string {
	said := append([]string{}, t.Header...)
	for _, row := range t.Rows {
		said = append(said, row...)
	}
	return strings.Join(said, "\n")
}

func linesText(lines []report.Line) string {
	var said []string
	for _, l := range lines {
		said = append(said, l.Heading, l.Label, l.Text)
		if l.Table != nil {
			said = append(said, tableText(*l.Table))
		}
	}
	return strings.Join(said, "\n")
}

func (a answer) text() string {
	said := []string{words(a.State), a.Summary, a.Reaches, a.Larger, a.Smaller, a.Cheapest, a.Next, a.Chart.text(), linesText(a.Header)}
	return strings.Join(append(said, a.More...), "\n")
}

func (v ladderView) text() string {
	said := []string{
		words(v.State), v.Title, v.Chart.text(), tableText(v.Table), linesText(v.Verdict), tableText(v.Climbs), linesText(v.Explain),
	}
	for _, c := range append(append([]*chart{}, v.Curves...), v.Costs...) {
		said = append(said, c.text())
	}
	return strings.Join(said, "\n")
}

func (a axisView) text() string {
	return strings.Join([]string{tableText(a.Table), a.Reading, a.Chart.text()}, "\n")
}

func (t trialTable) text() string {
	var said []string
	for _, c := range t.Columns {
		said = append(said, c.Name)
	}
	return strings.Join(said, "\n")
}

func (n Now) text() string {
	said := append([]string{}, n.Lines...)
	for _, l := range n.Ladders {
		said = append(said, words(l.State), l.Reason)
	}
	for _, r := range n.Running {
		for _, f := range r.Facts {
			said = append(said, f.Name, f.Value)
		}
	}
	return strings.Join(said, "\n")
}

// explain finds the terms of several pieces of text.
func explain[T interface{ text() string }](g *report.Glossary, pieces ...T) []report.Term {
	var terms []report.Term
	for _, p := range pieces {
		terms = append(terms, g.Explain(p.text())...)
	}
	return terms
}
