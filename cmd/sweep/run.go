package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/grid"
)

func newRunCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "run GRID.yaml",
		Short: "Train a grid's ladders until each has a verdict, then report",
		Long: `run trains every cell of the grid from its lowest rank upwards and stops each ladder where larger ranks no longer pay
or a limit is reached. Results go to stdout as 'sweep report' prints them, progress to stderr.

An unfinished sweep of the same grid is resumed: nothing finished is trained again, an interrupted trial continues from its
checkpoint. A finished one prints its report. A changed grid under the same name is refused with its difference.
The first Ctrl-C or SIGTERM checkpoints and stops; the second kills.`,
		Example: `  sweep run grid.yaml
  sweep run grid.yaml --backend xla:cpu --jobs 2
  sweep run grid.yaml -o json --out report.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.run(cmd.Context(), args[0]) },
	}
}

func newResumeCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "resume [NAME]",
		Short: "Continue an interrupted sweep (the latest without NAME)",
		Long: `resume continues a sweep from the facts in the database, with the grid as it was registered. Workers that outlived
their coordinator are found again; interrupted trials continue from their checkpoints, bit for bit on a CPU.`,
		Example: `  sweep resume
  sweep resume gpt2-notes`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.resume(cmd.Context(), strings.Join(args, ""))
		},
	}
}

// run registers the grid, or finds the sweep that it already is, and works it off.
func (a *app) run(ctx context.Context, path string) error {
	grid, text, err := readGrid(path)
	if err != nil {
		return err
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	db, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // every write is committed by its own transaction
	info, err := db.Find(ctx, grid.Name)
	if errors.Is(err, sweep.ErrNotFound) {
		info = sweep.Info{
			Name: grid.Name, GridText: string(text), GridHash: grid.Hash(), GridPath: absolute,
			Strategy: grid.Strategy(), Rule: grid.Rule(), Limits: grid.Limits(), Seeds: grid.Seeds, Created: time.Now().UTC(),
		}
		info.ID, err = db.CreateSweep(ctx, info)
		if err != nil {
			return err
		}
		return a.coordinate(ctx, db, info, grid)
	}
	if err != nil {
		return err
	}
	if err := sameGrid(info, grid, path); err != nil {
		return err
	}
	info.GridPath = absolute // it may have moved, and its inputs with it
	return a.coordinate(ctx, db, info, grid)
}

// resume works a registered sweep off.
func (a *app) resume(ctx context.Context, name string) error {
	db, info, grid, err := a.registered(ctx, name)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // every write is committed by its own transaction
	return a.coordinate(ctx, db, info, grid)
}

// registered opens the store for a sweep that is in it, with its grid as it was registered. The caller closes the store.
func (a *app) registered(ctx context.Context, name string) (*store.DB, sweep.Info, grid.Grid, error) {
	db, err := a.openExistingStore(ctx)
	if err != nil {
		return nil, sweep.Info{}, grid.Grid{}, err
	}
	info, err := db.Find(ctx, name)
	if err != nil {
		return nil, info, grid.Grid{}, errors.Join(notFound(err), db.Close())
	}
	grid, err := grid.Parse(info.GridPath, []byte(info.GridText))
	if err != nil {
		return nil, info, grid, errors.Join(fmt.Errorf("the grid of sweep %s as it was registered: %w", info.Name, err), db.Close())
	}
	return db, info, grid, nil
}

// readGrid reads and parses a grid file. What is wrong with it is a usage error.
func readGrid(path string) (grid.Grid, []byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return grid.Grid{}, nil, usagef("read the grid: %w", err)
	}
	g, err := grid.Parse(path, text)
	if err != nil {
		return grid.Grid{}, nil, withCode(exitUsage, err)
	}
	return g, text, nil
}

// sameGrid refuses a grid that differs from the one registered under its name.
func sameGrid(info sweep.Info, g grid.Grid, path string) error {
	if info.GridHash == g.Hash() {
		return nil
	}
	before, err := grid.Parse(info.GridPath, []byte(info.GridText))
	if err != nil {
		return fmt.Errorf("the grid of sweep %s as it was registered: %w", info.Name, err)
	}
	var b bytes.Buffer
	for _, line := range before.Diff(g) {
		fmt.Fprintf(&b, "\n  %s", line)
	}
	return usagef("%s: sweep %q is registered with another grid:%s\ngive the changed grid another name (trials that it shares are not trained again), or use another --root",
		path, info.Name, b.String())
}

// openStore opens the root's database, making the root first.
func (a *app) openStore(ctx context.Context) (*store.DB, error) {
	if err := os.MkdirAll(a.root, 0o755); err != nil {
		return nil, fmt.Errorf("make the root folder: %w (choose another with --root)", err)
	}
	return store.Open(ctx, filepath.Join(a.root, "sweep.db"))
}

// openExistingStore opens the root's database to write, and makes none where there is none.
func (a *app) openExistingStore(ctx context.Context) (*store.DB, error) {
	path := filepath.Join(a.root, "sweep.db")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, notFoundf("database %s: no sweep was run in this root yet", path)
	}
	return store.Open(ctx, path)
}
