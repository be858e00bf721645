package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/grid"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// expand reads the sweep's inputs and expands its grid on them. On a sweep that has its ladders already it checks that the
// inputs are still those: a model or text that changed under a running sweep would mix two experiments in one ladder.
func (a *app) expand(ctx context.Context, db *store.DB, s sweep.Snapshot, g grid.Grid) (backend.Choice, sweep.Registration, error) {
	if err := a.executor.broken; err != nil { // before anything that takes long
		return backend.Choice{}, sweep.Registration{}, err
	}
	choice, err := a.resolveBackend(ctx, s.Sweep)
	if err != nil {
		return choice, sweep.Registration{}, err
	}
	r, err := a.readInputs(ctx, choice, filepath.Dir(s.Sweep.GridPath), asRegistered(g, s))
	if err != nil {
		return choice, r, err
	}
	if len(s.Ladders) > 0 {
		err = s.SameInputs(r)
	} else {
		r, err = r.WithNoise(ctx, db, s.Sweep)
		for _, w := range r.Warnings {
			a.say("warning: %s", w)
		}
	}
	return choice, r, err
}

// readInputs reads what a grid names, relative to dir, and expands it into the ladders of trials of a backend.
func (a *app) readInputs(ctx context.Context, choice backend.Choice, dir string, g grid.Grid) (sweep.Registration, error) {
	on := sweep.Registration{Backend: choice.Identity, Platform: choice.Platform, PluginPath: choice.PluginPath}
	if g.DtypeIsAuto() {
		g = g.WithDtype(choice.Dtype())
		why := "products in bfloat16 were not measured on this backend"
		if s := choice.BFloat16Speedup; s > 0 {
			why = fmt.Sprintf("a product in bfloat16 is %.2f times as fast as in float32 here", s)
		}
		a.say("train.dtype auto is %s: %s", choice.Dtype(), why)
	}
	return sweep.Planner{Grid: g.Resolve(dir), Inputs: a.newInputs()}.Register(ctx, on)
}

// asRegistered is a grid with the dtype that its sweep was registered with: another machine may be faster in the other.
func asRegistered(g grid.Grid, s sweep.Snapshot) grid.Grid {
	if len(s.Ladders) == 0 {
		return g
	}
	return g.WithDtype(s.Ladders[0].Rungs[0].Trials[0].Trial.Spec().Train.Dtype)
}
