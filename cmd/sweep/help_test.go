package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestHelp holds the help of every command that people see. The flags that all share are held once, in the root's.
func TestHelp(t *testing.T) {
	t.Parallel()
	if *update {
		if err := os.RemoveAll(filepath.Join("testdata", "help")); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join("testdata", "help"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var held []string
	eachCommand(newRootCommand(&app{}), func(c *cobra.Command) {
		path := strings.Fields(c.CommandPath())
		name := strings.Join(path, "-") + ".txt"
		held = append(held, name)
		code, stdout, stderr := sweepCommand(t, append(path[1:], "--help")...)
		if code != exitOK || stderr != "" {
			t.Errorf("%s --help = %d, %q on stderr", c.CommandPath(), code, stderr)
		}
		own, _, _ := strings.Cut(stdout, "\nGlobal Flags:")
		golden(t, filepath.Join("help", name), own)
		for line := range strings.Lines(own) {
			if n := len([]rune(line)); n > 140 {
				t.Errorf("%s --help has a line of %d columns: %s", c.CommandPath(), n, line)
			}
		}
	})
	files, err := os.ReadDir(filepath.Join("testdata", "help"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(held) {
		t.Errorf("testdata/help holds %d files for %d commands: remove what is left over with -update", len(files), len(held))
	}
}

// eachCommand visits a command and all below it but the hidden ones and those that cobra adds.
func eachCommand(c *cobra.Command, visit func(*cobra.Command)) {
	if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
		return
	}
	visit(c)
	for _, sub := range c.Commands() {
		eachCommand(sub, visit)
	}
}
