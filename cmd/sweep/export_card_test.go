package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// TestBaseName: what an exported adapter calls its base has to work from where the export was asked for.
func TestBaseName(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "here", "gpt2"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Join(dir, "here"))
	path := filepath.Join(dir, "here", "gpt2")
	for name, tc := range map[string]struct {
		written, resolved string
		merged            bool
		want              baseName
		arguments         string
	}{
		"hub id": {
			"openai-community/gpt2", "openai-community/gpt2", false,
			baseName{name: "openai-community/gpt2", reference: "openai-community/gpt2", load: "openai-community/gpt2"},
			`"openai-community/gpt2"`,
		},
		"path from here": {"gpt2", path, false, baseName{name: "gpt2", reference: "gpt2", load: "gpt2"}, `"gpt2"`},
		"path from there": {"../there/gpt2", filepath.Join(dir, "x", "gpt2"), false, baseName{
			name:      "../there/gpt2",
			reference: filepath.Join(dir, "x", "gpt2"), load: filepath.Join(dir, "x", "gpt2"),
		}, `"` + filepath.Join(dir, "x", "gpt2") + `"`},
		"built in": {
			"builtin:gopher", "builtin:gopher", false,
			baseName{name: "builtin:gopher", reference: filepath.Join(dir, "out/base"), load: "../out/base", embedded: true},
			`"../out/base"`,
		},
		"built in, merged": {"builtin:gopher", "builtin:gopher", true, baseName{name: "builtin:gopher", reference: "builtin:gopher"}, `""`},
		"GGUF": {
			"/m/q4.gguf", "/m/q4.gguf", false,
			baseName{name: "/m/q4.gguf", reference: "/m/q4.gguf", load: "/m/q4.gguf"},
			`"/m", gguf_file="q4.gguf"`,
		},
	} {
		c := chosenTrial{
			ladder: report.Ladder{Cell: report.Cell{{Name: "model", Value: tc.written}}},
			trial:  sweep.TrialFacts{Trial: trial.Trial{Spec: trial.Spec{Model: tc.resolved}}.Brief()},
		}
		got := newBaseName(c, filepath.Join(dir, "out"), exportRequest{to: "../out", merged: tc.merged})
		tc.want.folder = "../out"
		if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(baseName{})); diff != "" || got.arguments() != tc.arguments {
			t.Errorf("%s: arguments %s, base name (-want +got):\n%s", name, got.arguments(), diff)
		}
	}
}
