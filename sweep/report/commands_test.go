package report

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
)

// TestCommandsStandWhole: at every width each command of a report, of an explanation and of every piece of advice stands on one line as a
// shell takes it, two that belong together too.
func TestCommandsStandWhole(t *testing.T) {
	t.Parallel()
	reports := map[string]Report{"advice": everyAdvice(t), "cells": Build(cells().snapshot())}
	for state, f := range states() {
		reports[string(state)] = Build(f.snapshot())
	}
	loose := regexp.MustCompile(`\bsweep (run|resume|retry|extend|export|confirm|logs|report)\b`)
	command := regexp.MustCompile("sweep" + noBreak + `[^ \n]+`)
	for name, r := range reports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r.Shell = prose.Shell{Root: "/my runs/it's $HOME", Sweep: r.Sweep, Grid: "grids & more/a b.yaml"}
			unbroken, said := r, ""
			unbroken.Shell = r.Shell.Unbroken()
			for _, line := range recorded(r.Rule, func(t *text) { t.whole(unbroken) }) {
				said += strings.ReplaceAll(line.Heading+line.Text, " && ", noBreak+"&&"+noBreak) + "\n"
			}
			if loose := loose.FindString(said); loose != "" {
				t.Errorf("%q can be broken in\n%s", loose, said)
			}
			commands := command.FindAllString(said, -1)
			for width := 40; width <= 120; width++ {
				text := string(text2(t, r, Options{Width: width, Fit: width%2 == 0}))
				for _, c := range commands {
					if c = strings.ReplaceAll(c, noBreak, " "); !strings.Contains(text, c) {
						t.Fatalf("%d columns: %s is broken in\n%s", width, c, text)
					}
				}
			}
			if len(commands) == 0 && name != "running" {
				t.Errorf("no command in\n%s", said)
			}
		})
	}
}

// everyAdvice is a report whose only ladder has each piece of advice there is, of a rank that nothing serves.
func everyAdvice(t *testing.T) Report {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../plateau/finding.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	r := Build(states()[plateau.StatePlateau].snapshot())
	found := &r.Ladders[0].Verdict.found
	found.Advice = nil
	gain := &plateau.Interval{Mean: 0.02, Lo: new(0.01), Hi: new(0.03)}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "Advise") {
			code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			found.Advice = append(found.Advice, plateau.Finding{
				Code: plateau.Code(code), Ranks: []int{8, 16}, Over: 4, Values: []float64{0.5, 0.25}, Gain: gain,
				Value: 0.1, Limit: 7200, Count: 1, Of: 2, Seeds: []int64{3}, Name: "learning_rate", Side: "largest",
			})
		}
		return true
	})
	if len(found.Advice) < 30 {
		t.Fatalf("%d pieces of advice", len(found.Advice))
	}
	r.Recommendation.Serving = &lora.Serving{Rank: 1024}
	return r
}
