package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep/grid"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// fromTop is a path below the top of the repository.
func fromTop(name string) string { return filepath.Join("..", "..", filepath.FromSlash(name)) }

func readDoc(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(fromTop(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// docs are the pages that people read, by their path from the top of the repository.
func docs(t *testing.T) map[string]string {
	t.Helper()
	pages := make(map[string]string)
	for _, name := range []string{"README.md", "CHANGELOG.md", "CONTRIBUTING.md"} {
		pages[name] = readDoc(t, name)
	}
	for _, topic := range helpTopics() {
		pages[topicFile(topic.name)] = topic.text
	}
	return pages
}

func topicFile(name string) string { return "cmd/sweep/help/" + name + ".md" }

// blocks returns the code of one language in a page.
func blocks(text, language string) (code []string) {
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		code = append(code, m[1])
	}
	return code
}

// TestReadmeOpensWithTheTwoCommands holds what a newcomer needs first, and README.md's length.
func TestReadmeOpensWithTheTwoCommands(t *testing.T) {
	t.Parallel()
	text := readDoc(t, "README.md")
	commands := blocks(text, "sh")
	if len(commands) == 0 || !regexp.MustCompile("^make quickstart .*\nmake test .*\n$").MatchString(commands[0]) {
		t.Errorf("README.md opens with %q, want make quickstart and make test", commands)
	}
	if before, _, _ := strings.Cut(text, "make quickstart"); strings.Count(before, "\n") > 10 {
		t.Errorf("make quickstart stands on line %d of README.md, want the first 10", strings.Count(before, "\n")+1)
	}
	if n := strings.Count(text, "\n"); n > 180 {
		t.Errorf("README.md has %d lines, want at most 180: the rest belongs in help topics", n)
	}
}

// TestReadmeAndHelpGridsAreValid parses every YAML example and expands what needs no model.
func TestReadmeAndHelpGridsAreValid(t *testing.T) {
	t.Parallel()
	examples := 0
	for name, text := range docs(t) {
		for _, example := range blocks(text, "yaml") {
			examples++
			if _, err := grid.Parse(name, []byte(example)); err != nil {
				t.Errorf("an example of %s does not parse: %v\n%s", name, err, example)
			}
		}
	}
	if examples < 6 {
		t.Errorf("%d YAML examples, want at least 6", examples)
	}
}

// TestReadmeAndHelpCommandsExist looks up every command that the pages show, with its flags and arguments where it stands in a
// block, and every make target.
func TestReadmeAndHelpCommandsExist(t *testing.T) {
	t.Parallel()
	makefile := readDoc(t, "Makefile")
	for name, text := range docs(t) {
		for _, m := range regexp.MustCompile("`(?:bin/)?sweep ([a-z][^`]*)`").FindAllStringSubmatch(text, -1) {
			if cmd, _, err := findCommand(strings.Fields(m[1])); err != nil || !cmd.HasParent() {
				t.Errorf("%s shows sweep %s, which does not exist", name, m[1])
			}
		}
		for _, m := range regexp.MustCompile("(?m)^(?:bin/)?sweep ([^#\n]*)").FindAllStringSubmatch(strings.Join(blocks(text, "sh"), ""), -1) {
			cmd, args, err := findCommand(strings.Fields(m[1]))
			if err == nil {
				err = parseCommand(cmd, args)
			}
			if err != nil {
				t.Errorf("%s shows sweep %s: %v", name, m[1], err)
			}
		}
		for _, m := range regexp.MustCompile("(?m)(?:^|`)make ([a-z][a-z0-9-]*)[ `\n]").FindAllStringSubmatch(text, -1) {
			if !strings.Contains(makefile, "\n"+m[1]+":") {
				t.Errorf("%s shows make %s, which does not exist", name, m[1])
			}
		}
	}
}

func findCommand(args []string) (*cobra.Command, []string, error) {
	root := newRootCommand(&app{})
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	cmd, rest, err := root.Find(args)
	if cmd.Name() == "help" && len(rest) > 0 { // no topic, so a command
		return findCommand(rest)
	}
	return cmd, rest, err
}

// parseCommand checks a command line without running it.
func parseCommand(cmd *cobra.Command, args []string) error {
	if !cmd.HasParent() {
		return fmt.Errorf("no such command")
	}
	if err := cmd.ParseFlags(args); err != nil {
		return err
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}

// TestHelpNamesEveryCommand holds the list of commands in the questions.
func TestHelpNamesEveryCommand(t *testing.T) {
	t.Parallel()
	text := readDoc(t, topicFile("faq"))
	eachCommand(newRootCommand(&app{}), func(c *cobra.Command) {
		if !c.HasSubCommands() && c.Name() != "version" && !strings.Contains(text, "`"+c.CommandPath()) {
			t.Errorf("sweep help faq does not mention %s", c.CommandPath())
		}
	})
}

// TestReadmeAndHelpLinksLead follows every link to a file of the repository.
func TestReadmeAndHelpLinksLead(t *testing.T) {
	t.Parallel()
	for name, text := range docs(t) {
		for _, m := range regexp.MustCompile(`\]\(([^)#]+)\)`).FindAllStringSubmatch(text, -1) {
			if strings.HasPrefix(m[1], "https://") {
				continue
			}
			if _, err := os.Stat(fromTop(path.Join(path.Dir(name), m[1]))); err != nil {
				t.Errorf("%s links to %s: %v", name, m[1], err)
			}
		}
	}
}

// TestHelpQueriesRun runs every SQL example on a database of an earlier release.
func TestHelpQueriesRun(t *testing.T) {
	t.Parallel()
	old, err := os.ReadFile(fromTop("store/testdata/v6.db"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "sweep.db")
	if err := os.WriteFile(file, old, 0o600); err != nil {
		t.Fatal(err)
	}
	migrated, err := store.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	if err := migrated.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite3", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // read only
	queries := blocks(readDoc(t, topicFile("sql")), "sql")
	if len(queries) < 3 {
		t.Errorf("%d queries, want at least one for each of the three views", len(queries))
	}
	for _, query := range queries {
		if _, err := db.ExecContext(t.Context(), query); err != nil {
			t.Errorf("%s\n%v", query, err)
		}
	}
}

// TestHelpLossesAreAPlateau gives the table of losses to the command that is shown beside it.
func TestHelpLossesAreAPlateau(t *testing.T) {
	t.Parallel()
	tables := blocks(readDoc(t, topicFile("rule")), "csv")
	if len(tables) != 1 {
		t.Fatalf("%d tables of losses, want 1", len(tables))
	}
	file := filepath.Join(t.TempDir(), "losses.csv")
	if err := os.WriteFile(file, []byte(tables[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := sweepCommand(t, "plateau", file)
	if code != exitOK || !strings.Contains(stdout, "\nrank 2: plateau\n") {
		t.Errorf("sweep plateau = %d, %q on stderr, want a plateau at rank 2:\n%s", code, stderr, stdout)
	}
}

const (
	referenceBegin = "<!-- grid reference: begin -->\n"
	referenceEnd   = "<!-- grid reference: end -->\n"
	termsBegin     = "<!-- terms: begin -->\n"
	termsEnd       = "<!-- terms: end -->\n"
)

// TestHelpGridReference holds the list of keys to the schema; -update writes it.
func TestHelpGridReference(t *testing.T) {
	t.Parallel()
	written(t, topicFile("grid"), referenceBegin, referenceEnd, gridReference(t))
}

// TestHelpTerms holds the topic's words to those that reports explain; -update writes them.
func TestHelpTerms(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, term := range prose.Terms() {
		const columns = 84
		b.WriteString(strings.ReplaceAll(ansi.Wordwrap("- "+term.Word+": "+term.Meaning+".", columns-2, ""), "\n", "\n  ") + "\n")
	}
	written(t, topicFile("rule"), termsBegin, termsEnd, b.String())
}

// written holds what stands between two marks of a file to what is said elsewhere; -update writes it.
func written(t *testing.T, file, begin, end, want string) {
	t.Helper()
	before, rest, begins := strings.Cut(readDoc(t, file), begin)
	got, after, ends := strings.Cut(rest, end)
	if !begins || !ends {
		t.Fatalf("%s has lost its marks %s", file, begin)
	}
	if *update {
		if err := os.WriteFile(fromTop(file), []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s differs, rewrite it with -update (-want +got):\n%s", file, diff)
	}
}

// schemaNode is what the reference takes from the schema.
type schemaNode struct {
	Description string
	Default     json.RawMessage
	Enum        []string
	AnyOf       []schemaNode // of an axis: one value, or a list of them
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
	section := func(prefix string, n schemaNode) {
		for _, name := range slices.Sorted(maps.Keys(n.Properties)) {
			if p := n.Properties[name]; p.Properties == nil {
				entry := fmt.Sprintf("- `%s%s`%s: %s", prefix, name, defaultText(p, slices.Contains(n.Required, name)), markdown(p.Description))
				b.WriteString(wrapItem(entry))
			}
		}
	}
	section("", root)
	for _, name := range []string{"data", "lora", "train", "plateau", "limits"} {
		fmt.Fprintf(&b, "\n### %s\n\n", name)
		section(name+".", root.Properties[name])
	}
	return b.String()
}

func defaultText(n schemaNode, required bool) string {
	switch {
	case required:
		return " (required)"
	case n.Default == nil:
		return ""
	}
	choices := n.Enum
	if len(n.AnyOf) > 0 {
		choices = n.AnyOf[0].Enum
	}
	text := "default `" + strings.Trim(string(n.Default), `"`) + "`"
	if len(choices) > 0 {
		text = "`" + strings.Join(choices, "`, `") + "`; " + text
	}
	return " (" + text + ")"
}

// markdown keeps angle brackets from being read as HTML.
func markdown(s string) string { return strings.NewReplacer("<", "&lt;", ">", "&gt;").Replace(s) }

// wrapItem breaks an item of a list into lines of at most 80 columns, as the rest of the page has.
func wrapItem(s string) string {
	words := strings.Fields(s)
	lines := words[:1:1]
	for _, word := range words[1:] {
		if last := len(lines) - 1; len(lines[last])+1+len(word) <= 80 {
			lines[last] += " " + word
		} else {
			lines = append(lines, "  "+word)
		}
	}
	return strings.Join(lines, "\n") + "\n"
}
