package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/grid"
)

func newExtendCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "extend GRID.yaml",
		Short: "Add what an edited grid adds to the sweep of that name: cells, ranks, seeds",
		Long: `extend compares the grid with the one that the sweep of its name is registered with, and trains what is new: cells, ranks, seeds,
values of tuned axes. What is trained counts: nothing is trained twice, and no verdict's history is lost. 'sweep plan GRID.yaml' says
beforehand what is left to train.

The limits and the rule (plateau, race, seeds per rank) may change too: they hold from then on, also for ladders that had come
to their end. extend takes nothing away. A rank, seed or cell that is gone, or a setting that makes other trials, is refused
with its difference: give that grid another name, and the trials that it shares are not trained again.

A coordinator that works on the sweep takes the new grid up by itself, and its workers go on meanwhile. Else extend works the
sweep off, as 'sweep run' does.`,
		Example: `  sweep extend grid.yaml
  sweep plan grid.yaml
  sweep extend grid.yaml -o json --out report.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.extend(cmd.Context(), args[0]) },
	}
}

func (a *app) extend(ctx context.Context, path string) (err error) {
	g, text, err := readGrid(path)
	if err != nil {
		return err
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	db, info, before, err := a.registered(ctx, g.Name)
	if err != nil {
		if errors.Is(err, sweep.ErrNotFound) {
			err = withCode(exitNotFound, fmt.Errorf("%w\nbegin a sweep of that name with: %s", err, a.commandOn("run", path)))
		}
		return err
	}
	defer db.Close() //nolint:errcheck // every write is committed by its own transaction
	snapshot, err := db.Snapshot(ctx, info.ID)
	if err != nil {
		return err
	}
	if _, _, err := a.fitGrid(ctx, db, snapshot, infoOf(g, text, absolute), g); err != nil {
		return asUsage(fmt.Errorf("%s: sweep %s cannot be extended by it: %w%s%s", path, info.Name, err, differences(before, g), otherName(err)))
	}
	given := store.GivenGrid{At: time.Now().UTC(), Text: string(text), Hash: g.Hash(), Path: absolute}
	if info.GridHash != g.Hash() || info.Asked.Grid != 0 {
		if err := db.AskGrid(ctx, info.ID, given); err != nil {
			return err
		}
		a.keepAsked(ctx, db, info.ID)
	} else {
		a.say("nothing is new in %s: sweep %s has all of it", path, info.Name)
	}
	working, err := worked(ctx, db, info.ID)
	if err != nil {
		return err
	}
	if working && info.GridHash == g.Hash() && info.Asked.Grid == 0 {
		return nil
	}
	if working {
		a.say("sweep %s is extended: the coordinator that works on it takes it up", info.Name)
		return nil
	}
	return a.coordinate(ctx, db, info, before)
}

// otherName says what to do with a grid that would take something away.
func otherName(err error) string {
	if _, ok := errors.AsType[*sweep.TakenError](err); !ok {
		return ""
	}
	return "\nto train other settings, run the grid under another name (name: in the grid): trials that it shares are not trained again"
}

// fitGrid expands a grid that extends a sweep, and fits it to what is registered.
func (a *app) fitGrid(
	ctx context.Context, db *store.DB, s sweep.Snapshot, info sweep.Info, g grid.Grid,
) (sweep.Extension, grid.Grid, error) {
	if len(s.Ladders) == 0 {
		return sweep.Extension{}, g, nil // nothing is registered yet: the grid takes the other's place
	}
	choice, err := a.resolveBackend(ctx, s.Sweep)
	if err != nil {
		return sweep.Extension{}, g, err
	}
	r, err := a.readInputs(ctx, choice, filepath.Dir(info.GridPath), asRegistered(g, s))
	if err != nil {
		return sweep.Extension{}, g, err
	}
	x, err := s.Extend(r)
	if err != nil {
		return x, g, err
	}
	x.Registration, err = r.WithNoise(ctx, db, info)
	return x, g, err
}

// takeGrid makes the newest grid that a person gave the sweep its own.
func (a *app) takeGrid(ctx context.Context, db *store.DB, s sweep.Snapshot, session int64) (sweep.Snapshot, grid.Grid, error) {
	grids, err := db.Grids(ctx, s.Sweep.ID)
	if err != nil || len(grids) == 0 {
		return s, grid.Grid{}, err
	}
	newest := grids[len(grids)-1]
	g, err := grid.Parse(newest.Path, []byte(newest.Text))
	if err != nil {
		return s, g, err
	}
	info := infoOf(g, []byte(newest.Text), newest.Path)
	rest := a.keepAlive(ctx, db, session)
	x, g, err := a.fitGrid(ctx, db, s, info, g)
	rest()
	if err != nil {
		return s, g, err
	}
	if err := db.Extend(ctx, s, info, x); err != nil {
		return s, g, err
	}
	a.say("sweep %s is extended to the edited grid", s.Sweep.Name)
	next, err := db.Snapshot(ctx, s.Sweep.ID)
	return next, g, err
}
