package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
)

func markdownOf(t *testing.T, s sweep.Snapshot) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Build(s).Markdown(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestMarkdown(t *testing.T) {
	t.Parallel()
	golden(t, "plateau.md", markdownOf(t, states()[plateau.StatePlateau].snapshot()))
	golden(t, "cells.md", markdownOf(t, cells().snapshot()))
	golden(t, "running.md", markdownOf(t, states()[plateau.StateRunning].snapshot()))
}

// TestMarkdownShowsNamesAsTheyStand: what a name or value contains is no markup.
func TestMarkdownShowsNamesAsTheyStand(t *testing.T) {
	t.Parallel()
	f := cells()
	f.name, f.ladders[0].dropout = "<b>*x*\n# [a](b)", "0|__init__"
	got := string(markdownOf(t, f.snapshot()))
	for _, want := range []string{`\<b>\*x\* # [a]\(b)`, `dropout=0\|\__init_\_`} {
		if !strings.Contains(got, want) {
			t.Errorf("Markdown lacks %q:\n%s", want, got)
		}
	}
}
