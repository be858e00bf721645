package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/grid"
)

func newRenameCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "rename NAME NEW",
		Short: "Give a sweep another name",
		Long: `rename gives a sweep another name, in the database and in its registered grid. Nothing else changes: its trials, verdicts and
their history stay. Write the new name into your grid file too: under the old one it would begin another sweep.

It refuses while a coordinator works on the sweep: 'sweep cancel NAME' stops it.`,
		Example: `  sweep rename gpt2-notes notes-v1`,
		Args:    cobra.ExactArgs(2),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.rename(cmd.Context(), args[0], args[1]) },
	}
}

func (a *app) rename(ctx context.Context, name, next string) error {
	return inSweep(ctx, a.openExistingStore, name, func(db *store.DB, info sweep.Info) error {
		if next == info.Name {
			a.say("sweep %s has that name already", next)
			return nil
		}
		err := a.holding(ctx, db, info, func(s sweep.Snapshot) error { return a.renameHeld(ctx, db, s.Sweep, next) })
		if err != nil {
			return err
		}
		if err := a.keeper(db, info.ID).KeepLast(ctx, a.root, time.Now()); err != nil {
			a.say("warning: without its database the sweep would have its former name again: %v", err)
		}
		a.say("sweep %s is now %s; in %s write: name: %s", info.Name, next, info.GridPath, next)
		return nil
	})
}

// renameHeld gives another name to a sweep whose lease is held.
func (a *app) renameHeld(ctx context.Context, db *store.DB, info sweep.Info, next string) error {
	if info.Asked.Grid != 0 {
		return withCode(exitUsage, fmt.Errorf(
			"sweep %s was extended, and the edited grid waits to be taken up: first %s, or %s with the grid of before",
			info.Name, a.resumeCommand(info.Name), a.commandOn("extend", "GRID.yaml")))
	}
	given, err := renamedGrid(info, next)
	if err != nil {
		return withCode(exitUsage, err)
	}
	return db.Rename(ctx, info.ID, next, given)
}

// renamedGrid is a sweep's grid under another name, which a grid may have.
func renamedGrid(info sweep.Info, name string) (store.GivenGrid, error) {
	given := store.GivenGrid{At: time.Now().UTC(), Text: info.GridText, Hash: info.GridHash, Path: info.GridPath}
	before, err := grid.Parse(info.GridPath, []byte(info.GridText))
	if err != nil {
		return given, err
	}
	text := grid.Renamed(info.GridText, name)
	after, err := grid.Parse(info.GridPath, []byte(text))
	if wrong, ok := errors.AsType[grid.Error](err); ok {
		return given, usagef("%s", strings.TrimPrefix(wrong.Message, "name: ")) // its line is none that somebody wrote
	}
	if err != nil {
		return given, err
	}
	if before.Name != info.Name { // a scout has its grid's name with a suffix
		return given, nil
	}
	if after.Name != name || len(before.Diff(after)) > 1 {
		return given, fmt.Errorf("the name cannot be found in the registered grid: run it under the new name, and what is trained is taken over")
	}
	given.Text, given.Hash = text, after.Hash()
	return given, nil
}
