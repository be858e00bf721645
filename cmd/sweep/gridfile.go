package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/grid"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// readGrid reads and parses a grid file. What is wrong with it is a usage error.
func readGrid(path string) (grid.Grid, []byte, error) {
	f, err := trial.OpenInput(path)
	if err != nil {
		return grid.Grid{}, nil, usagef("read the grid: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	text, err := io.ReadAll(io.LimitReader(f, grid.MaxBytes+1))
	if err != nil {
		return grid.Grid{}, nil, usagef("read the grid: %w", err)
	}
	g, err := grid.Parse(path, text)
	if err != nil {
		return grid.Grid{}, nil, withCode(exitUsage, err)
	}
	return g, text, nil
}

// sameGrid refuses a grid that differs from the one registered under its name, and says whether it could extend that.
func (a *app) sameGrid(ctx context.Context, db *store.DB, info, fresh sweep.Info, g grid.Grid, path string) error {
	if info.GridHash == g.Hash() {
		return nil
	}
	before, err := grid.Parse(info.GridPath, []byte(info.GridText))
	if err != nil {
		return fmt.Errorf("the grid of sweep %s as it was registered: %w", info.Name, err)
	}
	refusal := fmt.Sprintf("%s: sweep %q is registered with another grid:%s", path, info.Name, differences(before, g))
	if info.Name != g.Name { // a scout
		return usagef("%s\ngive the changed grid another name, or use another --root", refusal)
	}
	s, err := db.Snapshot(ctx, info.ID)
	if err == nil {
		_, _, err = a.fitGrid(ctx, db, s, fresh, g)
	}
	if err != nil {
		return usagef("%s\nit cannot extend that one: %w%s", refusal, err, otherName(err))
	}
	return usagef("%s\nadd what is new with: %s\nor give the changed grid another name (trials that it shares are not trained again), "+
		"or use another --root", refusal, a.commandOn("extend", path))
}

// differences lists what a grid changes, a line each.
func differences(before, now grid.Grid) string {
	var b strings.Builder
	for _, line := range before.Diff(now) {
		fmt.Fprintf(&b, "\n  %s", line)
	}
	return b.String()
}

// expandedGrid is a grid with what its models' configurations say of it.
type expandedGrid struct {
	grid     grid.Resolved
	planner  sweep.Planner
	ladders  []sweep.LadderPlan // at least one
	warnings []string
}

// expandGrid reads a grid and the configurations of its models; neither weights nor data, and no backend: dtype auto, which no
// check depends on, counts as float32.
func (a *app) expandGrid(ctx context.Context, path string) (expandedGrid, error) {
	g, _, err := readGrid(path)
	if err != nil {
		return expandedGrid{}, err
	}
	return a.expandParsed(ctx, path, g)
}

// expandParsed is expandGrid for one that was read from that path.
func (a *app) expandParsed(ctx context.Context, path string, g grid.Grid) (expandedGrid, error) {
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return expandedGrid{}, err
	}
	in := a.newInputs()
	in.configsOnly = true
	x := expandedGrid{grid: g.WithDtype(trial.DtypeFloat32).Resolve(dir)}
	x.planner = sweep.Planner{Grid: x.grid, Inputs: in}
	x.ladders, x.warnings, err = x.planner.Ladders(ctx)
	return x, err
}
