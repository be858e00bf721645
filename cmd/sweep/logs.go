package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

func newLogsCommand(a *app) *cobra.Command {
	var attempt int
	var follow bool
	cmd := &cobra.Command{
		Use:   "logs TRIAL",
		Short: "Print what a trial's worker wrote to stdout and stderr",
		Long: `logs prints the kept output of an attempt's process, the latest attempt's unless --attempt says otherwise.
TRIAL is an id as sweep status prints it, or the beginning of one.`,
		Example: `  sweep logs 3fa1
  sweep logs 3fa1 --attempt 1
  sweep logs 3fa1 --follow`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.logs(cmd.Context(), args[0], attempt, follow) },
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on printing until the attempt has ended")
	cmd.Flags().IntVar(&attempt, "attempt", 0, "number of the attempt (default: the latest)")
	return cmd
}

// attemptLogs is what logs prints.
type attemptLogs struct {
	Trial   trial.ID `json:"trial"`
	Attempt int      `json:"attempt"`
	Folder  string   `json:"folder"`
	Stdout  string   `json:"stdout"`
	Stderr  string   `json:"stderr"`
}

func (a *app) logs(ctx context.Context, prefix string, number int, follow bool) error {
	record, err := readTrial(ctx, a, prefix, func(*store.DB, store.TrialRecord) error { return nil })
	if err != nil {
		return err
	}
	number, err = chooseAttempt(record.TrialFacts, number)
	if err != nil {
		return notFound(err)
	}
	l := attemptLogs{Trial: record.Trial.ID, Attempt: number, Folder: trial.NewAttemptID(record.Trial.ID, number).Dir(a.root)}
	if follow {
		return a.follow(ctx, trial.NewAttemptID(l.Trial, number), l.Folder)
	}
	if l.Stdout, err = a.readLog(l.Folder, trial.StdoutFile); err != nil {
		return err
	}
	if l.Stderr, err = a.readLog(l.Folder, trial.StderrFile); err != nil {
		return err
	}
	return a.emit("logs", l, func(w io.Writer) error { return l.writeTo(verbatim(w)) }, nil)
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

// readLog returns a kept output, or the end of a long one; a process that was never launched has none.
func (a *app) readLog(folder, name string) (string, error) {
	const most = 16 << 20
	path := filepath.Join(folder, name)
	if info, err := os.Lstat(path); err == nil && info.Size() > most {
		a.say("%s has %s: these are the last %s", path, trial.FormatBytes(info.Size()), trial.FormatBytes(most))
	}
	return trial.LogTail(path, most)
}

func (l attemptLogs) writeTo(w io.Writer) error {
	if l.Stdout == "" && l.Stderr == "" {
		why := "wrote nothing"
		if _, err := os.Lstat(l.Folder); errors.Is(err, fs.ErrNotExist) {
			why = "has no folder any more, and what it wrote is gone with it"
		}
		_, err := fmt.Fprintf(w, "attempt %d of trial %s %s (%s)\n", l.Attempt, l.Trial, why, l.Folder)
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

// follow prints both outputs as they grow, until the database has the attempt's outcome.
func (a *app) follow(ctx context.Context, id trial.AttemptID, folder string) error {
	const pause = 500 * time.Millisecond // soon enough for a reader, seldom enough for the disk
	if a.output != "table" || a.out != "" {
		return usagef("--follow prints plain text on stdout: leave -o and --out away")
	}
	read := map[string]int64{}
	out := map[string]io.Writer{trial.StdoutFile: &printableWriter{w: a.stdout}, trial.StderrFile: &printableWriter{w: a.stdout}}
	for {
		// The outcome is looked up first, so that what the worker wrote before it is still copied.
		ended, err := a.attemptEnded(ctx, id)
		if err != nil {
			return err
		}
		for _, name := range []string{trial.StdoutFile, trial.StderrFile} {
			n, err := copyFrom(out[name], filepath.Join(folder, name), read[name])
			if err != nil {
				return err
			}
			read[name] += n
		}
		if ended {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

func (a *app) attemptEnded(ctx context.Context, id trial.AttemptID) (ended bool, err error) {
	_, err = readTrial(ctx, a, string(id.Trial()), func(_ *store.DB, r store.TrialRecord) error {
		for _, attempt := range r.Attempts {
			if attempt.ID == id {
				ended = attempt.Outcome != nil
			}
		}
		return nil
	})
	return ended, err
}

// copyFrom copies what a file has after offset. A file that is not there yet has nothing.
func copyFrom(w io.Writer, path string, offset int64) (int64, error) {
	f, err := trial.OpenRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the log: %w", err)
	}
	defer f.Close() //nolint:errcheck // it is only read
	n, err := io.Copy(w, io.NewSectionReader(f, offset, math.MaxInt64-offset))
	if err != nil {
		return n, fmt.Errorf("copy the log %s: %w", path, err)
	}
	return n, nil
}
