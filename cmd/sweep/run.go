package main

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/grid"
)

func newRunCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run GRID.yaml",
		Short: "Train a grid's ladders until each has a verdict, then report",
		Long: `run trains every cell of the grid from its lowest rank upwards and stops each ladder where larger ranks no longer pay
or a limit is reached. Results go to stdout as 'sweep report' prints them, progress to stderr: on a terminal a line per
running trial, "ahead" where no ladder waits for it yet, and below them the ladder and what is left.

An unfinished sweep of the same grid is resumed: nothing finished is trained again, an interrupted trial continues from its
checkpoint. A finished one prints its report. A changed grid under the same name is refused with its difference.
The first Ctrl-C or SIGTERM checkpoints and stops; the second kills.

--serve shows the sweep in a browser until it has ended, as sweep serve does at any time.`,
		Example: `  sweep run grid.yaml
  sweep run grid.yaml --backend xla:cpu --jobs 2
  sweep run grid.yaml -o json --out report.json
  sweep run grid.yaml --serve`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.serving.beside(cmd, func() error { return a.run(cmd.Context(), args[0]) })
		},
	}
	a.serving.addFlags(cmd)
	return cmd
}

func newResumeCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "resume [NAME]",
		Short: "Continue an interrupted sweep (the latest without NAME)",
		Long: `resume continues a sweep from the facts in the database, with the grid as it was registered. Workers that outlived
their coordinator are found again; interrupted trials continue from their checkpoints, bit for bit on a CPU.

A sweep that is paused goes on: where a coordinator works on it, that one is told, and this command ends.`,
		Example: `  sweep resume
  sweep resume gpt2-notes
  sweep resume gpt2-notes --serve`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.serving.beside(cmd, func() error { return a.resume(cmd.Context(), strings.Join(args, "")) })
		},
	}
	a.serving.addFlags(cmd)
	return cmd
}

// run registers the grid, or finds the sweep that it already is, and works it off.
func (a *app) run(ctx context.Context, path string) error {
	return a.runAs(ctx, path, func(grid.Grid, *sweep.Info) error { return nil })
}

// runAs is run of the sweep that adjust makes of the grid's.
func (a *app) runAs(ctx context.Context, path string, adjust func(grid.Grid, *sweep.Info) error) error {
	grid, text, err := readGrid(path)
	if err != nil {
		return err
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if err := a.recoverDatabase(ctx); err != nil {
		return err
	}
	db, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // every write is committed by its own transaction
	if err := a.checkDatabase(ctx, db); err != nil {
		return err
	}
	fresh := infoOf(grid, text, absolute)
	if err := adjust(grid, &fresh); err != nil {
		return err
	}
	info, err := db.Find(ctx, fresh.Name)
	if errors.Is(err, sweep.ErrNotFound) {
		if fresh.ID, err = db.CreateSweep(ctx, fresh); err != nil {
			return err
		}
		return a.coordinate(ctx, db, fresh, grid)
	}
	if err != nil {
		return err
	}
	if err := a.sameGrid(ctx, db, info, fresh, grid, path); err != nil {
		return err
	}
	info.GridPath = absolute // it may have moved, and its inputs with it
	return a.coordinate(ctx, db, info, grid)
}

// infoOf is the sweep of a grid, read from that absolute path, before anything is known about it.
func infoOf(g grid.Grid, text []byte, path string) sweep.Info {
	return sweep.Info{
		Name: g.Name, GridText: string(text), GridHash: g.Hash(), GridPath: path,
		Strategy: g.Strategy(), Race: g.Race(), Rule: g.Rule(), Limits: g.Limits(), Seeds: g.Seeds, Created: time.Now().UTC(),
	}
}

// resume works a registered sweep off.
func (a *app) resume(ctx context.Context, name string) error {
	db, info, grid, err := a.registered(ctx, name)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // every write is committed by its own transaction
	if lifted, err := a.liftPause(ctx, db, info); lifted || err != nil {
		return err
	}
	return a.coordinate(ctx, db, info, grid)
}
