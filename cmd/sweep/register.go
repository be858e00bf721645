package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/grid"
	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/backend"
	"github.com/ranksweep/ranksweep/trainer/corpus"
	"github.com/ranksweep/ranksweep/trainer/records"
	"github.com/ranksweep/ranksweep/trainer/tokenizer"
)

// inputs reads what a grid names: models, corpora, adapters. Everything is read once per command and remembered.
type inputs struct {
	app     *app
	models  map[string]trial.ModelInfo
	corpora map[string]corpus.Prepared // by model reference and data spec
}

// register reads the sweep's inputs and writes its ladders and trials. On a sweep that has them already it checks that the
// inputs are still those: a model or text that changed under a running sweep would mix two experiments in one ladder.
func (a *app) register(ctx context.Context, db *store.DB, s sweep.Snapshot, grid grid.Grid) (backend.Choice, sweep.Registration, error) {
	choice, err := a.resolveBackend(ctx, s.Sweep)
	if err != nil {
		return choice, sweep.Registration{}, err
	}
	r, err := a.readInputs(ctx, choice, filepath.Dir(s.Sweep.GridPath), grid)
	if err != nil {
		return choice, r, err
	}
	if len(s.Ladders) > 0 {
		err = sameInputs(s, r)
	} else {
		r.NoiseSD, r.NoiseSource, err = noise(ctx, db, s.Sweep, r)
		for _, w := range r.Warnings {
			a.say("warning: %s", w)
		}
	}
	if err != nil {
		return choice, r, err
	}
	return choice, r, db.Register(ctx, s.Sweep.ID, r) // again on a resume: the same inputs may lie elsewhere now
}

// resolveBackend finds what --backend means here; a registered sweep stays on its own backend.
func (a *app) resolveBackend(ctx context.Context, info sweep.Info) (backend.Choice, error) {
	want := a.backend
	if info.Backend != "" && want == "auto" {
		want = info.Platform
		if info.PluginPath != "" {
			want = info.PluginPath
		}
	}
	choice, err := backend.Resolve(ctx, want)
	if err != nil {
		return choice, err
	}
	if choice.Notice != "" {
		a.say("%s", choice.Notice)
	}
	if info.Backend != "" && info.Backend != choice.Identity {
		return choice, usagef("sweep %s was started on backend %q; this one is %q. Two plug-ins round differently, and a ladder must compare ranks, not rounding: resume it on its own backend, or run the grid under another name",
			info.Name, info.Backend, choice.Identity)
	}
	return choice, nil
}

// readInputs reads what a grid names, relative to dir, and expands it into the ladders of trials of a backend.
func (a *app) readInputs(ctx context.Context, choice backend.Choice, dir string, grid grid.Grid) (sweep.Registration, error) {
	r := sweep.Registration{Backend: choice.Identity, Platform: choice.Platform, PluginPath: choice.PluginPath}
	in := inputs{app: a, models: map[string]trial.ModelInfo{}, corpora: map[string]corpus.Prepared{}}
	err := in.plan(ctx, &r, dir, grid)
	return r, err
}

// plan expands the grid on its inputs into ladders of trials.
func (in *inputs) plan(ctx context.Context, r *sweep.Registration, dir string, grid grid.Grid) error {
	refs := grid.Models(dir)
	for _, ref := range refs {
		if _, err := in.model(ctx, ref); err != nil {
			return grid.ErrorAt("model", err)
		}
	}
	specs, warnings, err := grid.Expand(dir, in.models)
	if err != nil {
		return err
	}
	r.Warnings = warnings
	if err := checkStarts(grid, specs, in.models); err != nil {
		return err
	}
	if err := checkTokenizers(ctx, grid, specs, refs, in.models); err != nil {
		return err
	}
	for _, spec := range specs {
		if err := in.ladder(ctx, r, spec); err != nil {
			return err
		}
	}
	return nil
}

func (in *inputs) model(ctx context.Context, ref string) (trial.ModelInfo, error) {
	if m, ok := in.models[ref]; ok {
		return m, nil
	}
	m, err := trainer.Inspect(ctx, ref, trainer.InspectOptions{Hub: in.app.hub()})
	if err == nil {
		in.models[ref] = m
	}
	return m, err
}

// ladder adds one ladder with all its trials.
func (in *inputs) ladder(ctx context.Context, r *sweep.Registration, spec grid.LadderSpec) error {
	m := in.models[spec.Model]
	corpus, err := in.corpus(ctx, m, spec.Data)
	if err != nil {
		return err
	}
	for _, w := range corpus.Warnings {
		if !slices.Contains(r.Warnings, w) {
			r.Warnings = append(r.Warnings, w)
		}
	}
	plan := sweep.LadderPlan{Cell: spec.Cell, Model: m, Corpus: corpus.Info, Candidates: spec.Candidates, Ranks: spec.Ranks}
	sum, err := startSum(spec.Specs[0][0].LoRA) // the adapter is no axis
	if err != nil {
		return err
	}
	for _, specs := range spec.Specs {
		var trials []trial.Trial
		for _, s := range specs {
			s.LoRA.InitAdapterSHA256 = sum
			trials = append(trials, trial.New(s, m.Fingerprint, corpus.Info.Fingerprint, r.Backend))
		}
		plan.Trials = append(plan.Trials, trials)
	}
	r.Ladders = append(r.Ladders, plan)
	return nil
}

// checkStarts finds out whether the trials can start from lora.init_adapter, without reading a base weight. Neither rank nor
// seed matters to that, so the lowest rank speaks for all.
func checkStarts(grid grid.Grid, ladders []grid.LadderSpec, models map[string]trial.ModelInfo) error {
	for _, l := range ladders {
		for i := 0; i < len(l.Specs[0]); i += len(grid.Seeds) {
			if err := trainer.CheckStart(models[l.Model], l.Specs[0][i].LoRA); err != nil {
				return grid.ErrorAt("lora.init_adapter", err)
			}
		}
	}
	return nil
}

// checkTokenizers finds out whether the models can make ids of the grid's data, as far as the first row of each file tells.
func checkTokenizers(ctx context.Context, grid grid.Grid, ladders []grid.LadderSpec, refs []string, models map[string]trial.ModelInfo) error {
	var errs []error
	for _, ref := range refs {
		files, err := trainer.Files(models[ref])
		if err != nil {
			return err
		}
		_, missing := tokenizer.Load(files)
		if missing == nil {
			continue
		}
		d := ladders[0].Data // data is no axis
		text, err := records.FirstText(ctx, slices.Concat(d.Train, d.Validation, d.Retain))
		if err != nil || text == "" {
			return err
		}
		errs = append(errs, grid.ErrorAt("model", fmt.Errorf("model %s cannot read %s: %w", ref, text, missing)))
	}
	return errors.Join(errs...)
}

// startSum is the fingerprint of the adapter that trials start from; "" for none.
func startSum(l lora.Spec) (string, error) {
	if l.InitAdapter == "" {
		return "", nil
	}
	sum, err := trainer.AdapterSum(l.InitAdapter)
	if err != nil {
		return "", fmt.Errorf("lora.init_adapter %s: %w", l.InitAdapter, err)
	}
	return sum, nil
}

// corpus tokenises the data for a model, once.
func (in *inputs) corpus(ctx context.Context, m trial.ModelInfo, spec trial.DataSpec) (corpus.Prepared, error) {
	key := fmt.Sprintf("%s %+v", m.Reference, spec)
	if p, ok := in.corpora[key]; ok {
		return p, nil
	}
	files, err := trainer.Files(m)
	if err != nil {
		return corpus.Prepared{}, err
	}
	show, done := in.app.byteProgress("reading the data")
	p, err := corpus.Prepare(ctx, filepath.Join(in.app.root, "cache"), corpus.Source{Files: files, Model: m, Spec: spec, Hub: in.app.hub()}, show)
	done()
	if err == nil {
		in.corpora[key] = p
	}
	return p, err
}

// sameInputs refuses to go on with other inputs than the sweep was registered with.
func sameInputs(s sweep.Snapshot, r sweep.Registration) error {
	if len(s.Ladders) != len(r.Ladders) {
		return errors.New("the grid expands to other ladders than this sweep has: it was registered by another version of the program; finish it with that one, or run the grid under another name")
	}
	for i, l := range s.Ladders {
		now := r.Ladders[i]
		switch {
		case l.Model.Fingerprint != now.Model.Fingerprint:
			return changed("model "+l.Model.Reference, s.Sweep.Name)
		case l.Corpus.Fingerprint != now.Corpus.Fingerprint:
			return changed("data", s.Sweep.Name)
		}
		for j, rung := range l.Rungs {
			if rung.Rank != now.Ranks[j] || rung.Trials[0].Trial.ID != now.Trials[j][0].ID {
				return changed("adapter that the trials start from, or the training code,", s.Sweep.Name)
			}
		}
	}
	return nil
}

func changed(what, name string) error {
	return fmt.Errorf("%w: the %s has changed since sweep %s was registered; restore it, or run the grid under another name",
		trial.ErrInput, what, name)
}

// noise resolves noise_sd, which only ladders of one seed need: the grid's, else what a finished sweep of equal model, data
// and training saw, else the default.
func noise(ctx context.Context, db *store.DB, info sweep.Info, r sweep.Registration) (float64, string, error) {
	if info.Rule.NoiseSD > 0 || len(info.Seeds) > 1 {
		return info.Rule.NoiseSD, info.Rule.NoiseSource, nil
	}
	for _, l := range r.Ladders {
		t := l.Trials[0][0]
		finished, err := db.FinishedLadders(ctx, t.Base, t.Data, t.Spec.Train)
		if err != nil {
			return 0, "", err
		}
		for _, f := range finished {
			if sd, ok := plateau.ResidualSD(f.Rungs); ok {
				return sd, "sweep " + f.Sweep, nil
			}
		}
	}
	return 0, "default", nil
}
