package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
)

func newLogsCommand(a *app) *cobra.Command {
	var attempt int
	cmd := &cobra.Command{
		Use:   "logs TRIAL",
		Short: "Print what a trial's worker wrote to stdout and stderr",
		Long: `logs prints the kept output of an attempt's process, the latest attempt's unless --attempt says otherwise.
TRIAL is an id as sweep status prints it, or the beginning of one.`,
		Example: `  sweep logs 3fa1
  sweep logs 3fa1 --attempt 1`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.logs(cmd.Context(), args[0], attempt) },
	}
	cmd.Flags().IntVar(&attempt, "attempt", 0, "number of the attempt (default: the latest)")
	return cmd
}

// attemptLogs is what logs prints.
type attemptLogs struct {
	Trial   sweep.TrialID `json:"trial"`
	Attempt int           `json:"attempt"`
	Folder  string        `json:"folder"`
	Stdout  string        `json:"stdout"`
	Stderr  string        `json:"stderr"`
}

func (a *app) logs(ctx context.Context, prefix string, number int) error {
	record, err := readTrial(ctx, a, prefix, func(*store.DB, store.TrialRecord) error { return nil })
	if err != nil {
		return err
	}
	number, err = chooseAttempt(record.TrialFacts, number)
	if err != nil {
		return notFound(err)
	}
	l := attemptLogs{Trial: record.Trial.ID, Attempt: number, Folder: sweep.NewAttemptID(record.Trial.ID, number).Dir(a.root)}
	if l.Stdout, err = readLog(l.Folder, sweep.StdoutFile); err != nil {
		return err
	}
	if l.Stderr, err = readLog(l.Folder, sweep.StderrFile); err != nil {
		return err
	}
	return a.emit("logs", l, l.writeTo, nil)
}

// chooseAttempt returns the number asked for, or the latest for 0.
func chooseAttempt(t sweep.TrialFacts, number int) (int, error) {
	n := len(t.Attempts)
	if n == 0 {
		return 0, fmt.Errorf("trial %s: %w: it has no attempt yet", t.Trial.ID, sweep.ErrNotFound)
	}
	if number == 0 {
		return t.Attempts[n-1].Number, nil
	}
	for _, a := range t.Attempts {
		if a.Number == number {
			return number, nil
		}
	}
	return 0, fmt.Errorf("trial %s, attempt %d: %w: it has attempts %d to %d",
		t.Trial.ID, number, sweep.ErrNotFound, t.Attempts[0].Number, t.Attempts[n-1].Number)
}

// readLog returns a kept output; a process that was never launched has none.
func readLog(folder, name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(folder, name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the log: %w", err)
	}
	return string(text), nil
}

func (l attemptLogs) writeTo(w io.Writer) error {
	if l.Stdout == "" && l.Stderr == "" {
		_, err := fmt.Fprintf(w, "attempt %d of trial %s wrote nothing (%s)\n", l.Attempt, l.Trial, l.Folder)
		return err
	}
	for _, part := range []struct{ name, text string }{{"stdout", l.Stdout}, {"stderr", l.Stderr}} {
		if part.text == "" {
			continue
		}
		if _, err := fmt.Fprintf(w, "== %s of attempt %d ==\n%s", part.name, l.Attempt, part.text); err != nil {
			return err
		}
	}
	return nil
}
