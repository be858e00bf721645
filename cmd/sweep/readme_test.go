package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/grid"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(readmeFile())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func readmeFile() string { return filepath.Join("..", "..", "README.md") }

// TestReadmeOpensWithTheTwoCommands holds what a newcomer needs first.
func TestReadmeOpensWithTheTwoCommands(t *testing.T) {
	t.Parallel()
	lines := strings.SplitN(readme(t), "\n", 6)
	if !strings.HasPrefix(lines[3], "make quickstart") || !strings.HasPrefix(lines[4], "make test") {
		t.Errorf("README.md opens with %q, want make quickstart and make test", lines)
	}
}

// TestReadmeGridsAreValid parses every YAML example and expands what needs no model.
func TestReadmeGridsAreValid(t *testing.T) {
	t.Parallel()
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(readme(t), -1)
	if len(examples) < 2 {
		t.Fatalf("%d YAML examples, want at least 2", len(examples))
	}
	for _, e := range examples {
		if _, err := grid.Parse("README.yaml", []byte(e[1])); err != nil {
			t.Errorf("an example of README.md does not parse: %v\n%s", err, e[1])
		}
	}
}

// TestReadmeCommandsExist looks up every command that README.md shows, and names every command there is.
func TestReadmeCommandsExist(t *testing.T) {
	t.Parallel()
	text := readme(t)
	root := newRootCommand(&app{})
	for _, m := range regexp.MustCompile("(?m)(?:`|^bin/)sweep ([a-z]+)").FindAllStringSubmatch(text, -1) {
		if found, _, err := root.Find([]string{m[1]}); err != nil || found == root {
			t.Errorf("README.md shows sweep %s, which does not exist", m[1])
		}
	}
	for _, c := range root.Commands() {
		if !c.Hidden && c.Name() != "help" && c.Name() != "completion" && c.Name() != "version" && !strings.Contains(text, c.Name()) {
			t.Errorf("README.md does not mention sweep %s", c.Name())
		}
	}
}

const (
	referenceBegin = "<!-- grid reference: begin -->\n"
	referenceEnd   = "<!-- grid reference: end -->\n"
)

// TestReadmeGridReference holds the table of keys to the schema; -update writes it.
func TestReadmeGridReference(t *testing.T) {
	t.Parallel()
	text := readme(t)
	before, rest, begins := strings.Cut(text, referenceBegin)
	got, after, ends := strings.Cut(rest, referenceEnd)
	if !begins || !ends {
		t.Fatal("README.md has lost the marks around the grid reference")
	}
	want := gridReference(t)
	if *update {
		if err := os.WriteFile(readmeFile(), []byte(before+referenceBegin+want+referenceEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the grid reference in README.md differs from the schema, rewrite it with -update (-schema +README.md):\n%s", diff)
	}
}

// schemaNode is what the reference takes from the schema.
type schemaNode struct {
	Description string
	Default     json.RawMessage
	Properties  map[string]schemaNode
	Required    []string
}

func gridReference(t *testing.T) string {
	t.Helper()
	body, err := trial.PlainJSON(grid.Schema())
	if err != nil {
		t.Fatal(err)
	}
	var root schemaNode
	if err := json.Unmarshal(body, &root); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("| key | default | |\n|---|---|---|\n")
	section := func(prefix string, n schemaNode) {
		for _, name := range slices.Sorted(maps.Keys(n.Properties)) {
			if p := n.Properties[name]; p.Properties == nil {
				fmt.Fprintf(&b, "| `%s%s` | %s | %s |\n", prefix, name, defaultText(p, slices.Contains(n.Required, name)), markdown(p.Description))
			}
		}
	}
	section("", root)
	for _, name := range []string{"data", "lora", "train", "plateau", "limits"} {
		section(name+".", root.Properties[name])
	}
	return b.String()
}

func defaultText(n schemaNode, required bool) string {
	switch {
	case required:
		return "required"
	case n.Default == nil:
		return ""
	}
	return "`" + strings.Trim(string(n.Default), `"`) + "`"
}

// markdown keeps angle brackets and bars from being read as HTML and cells.
func markdown(s string) string {
	return strings.NewReplacer("<", "&lt;", ">", "&gt;", "|", `\|`).Replace(s)
}
