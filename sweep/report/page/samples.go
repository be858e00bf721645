package page

import (
	"strings"

	"github.com/ranksweep/ranksweep/sweep/report"
)

// samplesView is the section of answers side by side.
type samplesView struct {
	Sources []string
	Samples []sampleView
}

type sampleView struct {
	Title  string
	Prompt string
	Said   []saying // what was expected, then what each model answered
}

// saying is a text under its name.
type saying struct{ Name, Note, Text, Class string }

func newSamplesView(s *report.Samples) *samplesView {
	if s == nil {
		return nil
	}
	v := &samplesView{Sources: s.Sources()}
	for i, sample := range s.Samples {
		out := sampleView{Title: sample.Title(i + 1), Prompt: quotable(sample.Prompt)}
		if sample.Expected != nil {
			out.Said = append(out.Said, saying{Name: "expected", Text: quotable(*sample.Expected), Class: "expected"})
		}
		for j, a := range sample.Answers {
			said := saying{Name: s.Writers[j].Title(), Note: a.Note(), Text: quotable(a.Text)}
			if a.Exact {
				said.Class = "exact"
			}
			out.Said = append(out.Said, said)
		}
		v.Samples = append(v.Samples, out)
	}
	return v
}

// quotable is a text without the empty lines around it, which a box would only make larger.
func quotable(s string) string {
	if s = strings.Trim(s, "\n"); strings.TrimSpace(s) == "" {
		return ""
	}
	return s
}
