package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
)

func newManCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the manual pages of all commands and topics",
		Long: `man writes a page for each command and each help topic into DIR, sweep.1, sweep-run.1, sweep-help-grid.1 and so on, and makes the
folder where it is not there. The same program writes the same pages: their date is that of SOURCE_DATE_EPOCH if it is set, else of
the commit that the program was built from, else of 1970.`,
		Example: `  sweep man ~/.local/share/man/man1
  man sweep-run`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := writeManual(cmd.Root(), args[0]); err != nil {
				return fmt.Errorf("write the manual: %w", err)
			}
			a.say("wrote the manual into %s", args[0])
			return nil
		},
	}
}

// writeManual writes the pages of a command and of all below it.
func writeManual(root *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	help, _, err := root.Find([]string{"help"})
	if err != nil {
		return err
	}
	plain := plainLinks()
	for _, t := range helpTopics() {
		page, _, err := help.Find([]string{t.name})
		if err != nil {
			return err
		}
		page.Long = plain(t.text)
	}
	root.DisableAutoGenTag = true // the tag has today's date
	keepBrackets(root)
	header := doc.GenManHeader{Section: "1", Source: "sweep " + version, Manual: "ranksweep"}
	if os.Getenv("SOURCE_DATE_EPOCH") == "" { // which doc reads
		header.Date = new(buildTime())
	}
	return errors.Join(doc.GenManTree(root, &header, dir), doc.GenManTree(help, &header, dir))
}

// keepBrackets escapes the <name> of flags and texts, which Markdown takes for HTML and leaves out. Topics are Markdown already.
func keepBrackets(cmd *cobra.Command) {
	escape := func(text string) string { return strings.ReplaceAll(text, "<", `\<`) }
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if !strings.Contains(f.Usage, `\<`) { // flags of all commands come by again
			f.Usage = escape(f.Usage)
		}
	})
	for _, sub := range cmd.Commands() {
		if sub.Name() != "help" {
			sub.Long = escape(sub.Long)
			keepBrackets(sub)
		}
	}
}

// buildTime is that of the commit that the program was built from, or the beginning of time.
func buildTime() time.Time {
	built := time.Unix(0, 0).UTC()
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return built
	}
	for _, s := range info.Settings {
		if at, err := time.Parse(time.RFC3339, s.Value); s.Key == "vcs.time" && err == nil {
			return at
		}
	}
	return built
}
