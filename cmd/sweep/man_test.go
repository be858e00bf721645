package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestManual: every command that people see and every topic has a page, which says what the help says, and the same each time.
func TestManual(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1795910400")
	dir, again := filepath.Join(t.TempDir(), "man1"), t.TempDir()
	for _, dir := range []string{dir, again} {
		if code, stdout, stderr := sweepCommand(t, "man", dir); code != exitOK || stdout != "" || stderr != "wrote the manual into "+dir+"\n" {
			t.Fatalf("man = %d, %q, said %q", code, stdout, stderr)
		}
	}
	root := newRootCommand(&app{})
	root.InitDefaultHelpCmd()
	var names []string
	eachCommand(root, func(c *cobra.Command) { names = append(names, strings.ReplaceAll(c.CommandPath(), " ", "-")) })
	for _, topic := range helpTopics() {
		names = append(names, "sweep-help-"+topic.name)
	}
	for _, name := range names {
		page, err := os.ReadFile(filepath.Join(dir, name+".1"))
		if err != nil {
			t.Error(err)
			continue
		}
		other, err := os.ReadFile(filepath.Join(again, name+".1"))
		if err != nil || !bytes.Equal(page, other) {
			t.Errorf("%s differs when it is written again (%v)", name, err)
		}
		if !bytes.Contains(page, []byte(`"1" "Nov 2026" "sweep dev" "ranksweep"`)) || bytes.Contains(page, []byte("cobra")) {
			t.Errorf("%s has another head, or names its generator:\n%.300s", name, page)
		}
		if bytes.Contains(page, []byte(`.md\[ra]`)) {
			t.Errorf("%s links to a file, which a manual page cannot follow:\n%s", name, page)
		}
	}
	for name, want := range map[string]string{
		"sweep-eval":      "builtin:<name>",
		"sweep-report":    "sweep report gpt2-notes -o json",
		"sweep-help-rule": "min_gain",
		"sweep-help-grid": "lora",
	} {
		page, err := os.ReadFile(filepath.Join(dir, name+".1"))
		if err != nil || !strings.Contains(strings.ReplaceAll(string(page), `\`, ""), want) {
			t.Errorf("%s.1 lacks %q (%v):\n%s", name, want, err, page)
		}
	}
}

// TestManualInTheWay: where pages cannot be written it says so.
func TestManualInTheWay(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := sweepCommand(t, "man", file); code != exitError || !strings.Contains(stderr, "write the manual: mkdir "+file) {
		t.Errorf("man = %d, said %q", code, stderr)
	}
}
