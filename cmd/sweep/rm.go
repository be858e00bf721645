package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

func newRmCommand(a *app) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "rm NAME",
		Short: "Remove a sweep with the trials that no other sweep has",
		Long: `rm takes a sweep out of the database and removes the folders of its trials: losses, adapters, logs. Trials that another sweep
shares stay, with all that is known of them. It says how much goes and asks first; without a terminal it needs --yes. There is no
way back: 'sweep backup FILE.db' copies the database, 'sweep export' an adapter.

It refuses while a coordinator works on the sweep, or workers of it run: 'sweep cancel NAME' stops both.`,
		Example: `  sweep rm gpt2-notes
  sweep rm gpt2-notes --yes`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.rm(cmd.Context(), cmd, args[0], yes) },
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

func (a *app) rm(ctx context.Context, cmd *cobra.Command, name string, yes bool) error {
	var goes doomed
	err := a.asking(ctx, name, func(s subject) (err error) {
		if s.worked {
			return a.refuseWorked(ctx, s)
		}
		if goes, err = a.doomed(ctx, s.db, s.snapshot); err != nil {
			return err
		}
		places := 0
		s.snapshot.Each(func(*sweep.Ladder, int, *sweep.TrialFacts) { places++ })
		a.say("sweep %s: %s of its own (%s), %d that other sweeps share and keep", s.name(), plural(len(goes.trials), "trial"),
			trial.FormatBytes(goes.bytes), max(0, places-len(goes.trials)))
		return nil
	})
	if err != nil {
		return err
	}
	// The sweep is not held while the question stands, which may be for hours.
	if ok, err := a.confirmed(cmd, yes, "remove sweep "+goes.sweep.Name+" for good?"); !ok {
		return err
	}
	return inSweep(ctx, a.openExistingStore, name, func(db *store.DB, info sweep.Info) error {
		return a.holding(ctx, db, info, func(s sweep.Snapshot) error { return a.removeDoomed(ctx, db, s, goes) })
	})
}

// removeDoomed removes a sweep, whose lease is held, where nothing else goes with it than a person was told.
func (a *app) removeDoomed(ctx context.Context, db *store.DB, s sweep.Snapshot, goes doomed) error {
	now, err := a.doomed(ctx, db, s)
	if err != nil {
		return err
	}
	if !now.same(goes) {
		return fmt.Errorf("sweep %s has changed since you were asked, and nothing is removed: repeat it", s.Sweep.Name)
	}
	if err := a.removing(func(trash string) error {
		batches, err := a.batchesOf(now.trials)
		if err != nil {
			return err
		}
		if err := a.removeSweep(ctx, db, s.Sweep.ID, trash); err != nil {
			return err
		}
		return a.moveBatches(batches, trash)
	}); err != nil {
		return fmt.Errorf("remove sweep %s: %w", s.Sweep.Name, err)
	}
	a.say("sweep %s is removed", s.Sweep.Name)
	return nil
}

// doomed is what goes with a sweep.
type doomed struct {
	sweep  sweep.Info
	trials []trial.ID
	ended  map[trial.AttemptID]bool // of their attempts
	bytes  int64
}

// doomed says what goes with a sweep, of which no worker may run.
func (a *app) doomed(ctx context.Context, db *store.DB, s sweep.Snapshot) (d doomed, err error) {
	d = doomed{sweep: s.Sweep, ended: map[trial.AttemptID]bool{}}
	if d.trials, err = db.OwnTrials(ctx, s.Sweep.ID); err != nil {
		return d, err
	}
	own := map[trial.ID]bool{} // another sweep may train those that it shares
	for _, id := range d.trials {
		own[id] = true
	}
	s.Each(func(_ *sweep.Ladder, _ int, t *sweep.TrialFacts) {
		for _, a := range t.Attempts {
			if own[t.Trial.ID] {
				d.ended[a.ID] = a.Outcome != nil
			}
		}
	})
	if err := a.refuseWorkers(ctx, db, s); err != nil {
		return d, err
	}
	dirs, err := a.batchesOf(d.trials)
	if err != nil {
		return d, err
	}
	for _, id := range d.trials {
		dirs = append(dirs, a.trialFolder(id))
	}
	for _, dir := range dirs {
		n, err := folderBytes(dir)
		if err != nil {
			return d, err
		}
		d.bytes += n
	}
	return d, nil
}

// same reports whether nothing was asked or tried of the sweep in between.
func (d doomed) same(before doomed) bool {
	return d.sweep.ID == before.sweep.ID && d.sweep.Asked == before.sweep.Asked && slices.Equal(d.trials, before.trials) &&
		maps.Equal(d.ended, before.ended)
}

// removeSweep takes a sweep out of the database, and its trials' folders and records out of their places. Where that fails all is put back.
func (a *app) removeSweep(ctx context.Context, db *store.DB, id int64, trash string) error {
	keeper := a.keeper(db, id)
	err := db.RemoveSweep(ctx, id, func(ids []trial.ID) error {
		if err := a.moveOut(ids, trash); err != nil {
			return err
		}
		return keeper.Forget(ctx, a.root)
	})
	if err != nil {
		return errors.Join(err, a.moveBack(trash), keeper.KeepLast(context.WithoutCancel(ctx), a.root, time.Now()))
	}
	return nil
}

// refuseWorked says who works on a sweep.
func (a *app) refuseWorked(ctx context.Context, s subject) error {
	holder, err := s.db.Holder(ctx, s.snapshot.Sweep.ID)
	if err != nil {
		return err
	}
	here, err := store.ThisProcess("")
	if err != nil {
		return err
	}
	held := &store.HeldError{Session: holder, Here: holder != nil && holder.OnMachine(here)}
	return withCode(exitLocked, errors.New(a.heldBy(s.name(), held)))
}

// holding does something to a sweep under its lease, so that no coordinator works on it meanwhile. A cancelled sweep stays so: nobody works
// on it.
func (a *app) holding(ctx context.Context, db *store.DB, info sweep.Info, do func(sweep.Snapshot) error) error {
	process, err := store.ThisProcess(a.command)
	if err != nil {
		return err
	}
	session, err := db.StartSession(ctx, info.ID, a.clock.Now(), process)
	if held, ok := errors.AsType[*store.HeldError](err); ok {
		return withCode(exitLocked, errors.New(a.heldBy(info.Name, held)))
	}
	if err != nil {
		return err
	}
	s, err := db.Snapshot(ctx, info.ID)
	if err == nil {
		s.Sweep.Asked.Cancelled = info.Asked.Cancelled
		err = do(s)
	}
	return errors.Join(err, db.Release(context.WithoutCancel(ctx), session, a.clock.Now()))
}

// refuseWorkers fails where a worker of the sweep runs.
func (a *app) refuseWorkers(ctx context.Context, db *store.DB, s sweep.Snapshot) error {
	living, err := a.leftWorkers(ctx, db, s)
	if err == nil && len(living) > 0 {
		err = withCode(exitLocked, fmt.Errorf("the worker of attempt %s runs: stop it with: %s", living[0], a.commandOn("cancel", s.Sweep.Name)))
	}
	return err
}

// confirmed asks a person at a terminal; without one it takes --yes.
func (a *app) confirmed(cmd *cobra.Command, yes bool, question string) (bool, error) {
	if yes {
		return true, nil
	}
	if in, ok := cmd.InOrStdin().(*os.File); !ok || !isTerminal(in) {
		return false, usagef("stdin is no terminal, so nobody can be asked: repeat it with --yes")
	}
	fmt.Fprintf(a.stderr, "%s [y/N] ", question)
	answer, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	if err != nil {
		return false, err
	}
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
		a.say("nothing is changed")
		return false, nil
	}
	return true, nil
}

func (a *app) trialFolder(id trial.ID) string { return filepath.Join(a.root, "trials", string(id)) }

// moveOut moves trials' folders where no coordinator looks for them. What it has moved when it fails moveBack restores.
func (a *app) moveOut(ids []trial.ID, trash string) error {
	for _, id := range ids {
		err := os.Rename(a.trialFolder(id), filepath.Join(trash, string(id)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // never begun
			return err
		}
	}
	if err := trial.SyncFolder(filepath.Join(a.root, "trials")); !errors.Is(err, fs.ErrNotExist) { // before the database says it
		return err
	}
	return nil
}

func (a *app) moveBack(trash string) error {
	entries, err := os.ReadDir(trash)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.Rename(filepath.Join(trash, e.Name()), a.trialFolder(trial.ID(e.Name()))); err != nil {
			return err
		}
	}
	return os.Remove(trash)
}

// folderBytes is what the files below a folder take; nothing where there is none. What goes meanwhile does not count.
func folderBytes(dir string) (bytes int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			bytes += info.Size()
		}
		return err
	})
	return bytes, err
}
