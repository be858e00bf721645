package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/corpus"
	"github.com/ranksweep/ranksweep/trainer/hub"
)

// inputs implements sweep.Inputs with the trainer's readers. Everything is read once per command and remembered.
type inputs struct {
	app           *app
	configsOnly   bool // no weights: a model's fingerprint leaves them out
	models        map[string]trial.ModelInfo
	corpora       map[string]corpus.Prepared // by model reference and data spec
	startAdapters map[string]string          // SHA-256 by folder
	forms         []string                   // of the data's rows, as far as they were said
}

// sayForm says what rows of data are made of.
func (a *app) sayForm(line string) { a.say("%s", line) }

func (a *app) newInputs() *inputs {
	return &inputs{app: a, models: map[string]trial.ModelInfo{}, corpora: map[string]corpus.Prepared{}, startAdapters: map[string]string{}}
}

// Model implements sweep.Inputs.
func (in *inputs) Model(ctx context.Context, ref string) (trial.ModelInfo, error) {
	if m, ok := in.models[ref]; ok {
		return m, nil
	}
	m, err := trainer.Inspect(ctx, ref, trainer.InspectOptions{Hub: in.app.hub(), WithoutWeights: in.configsOnly})
	if err == nil {
		in.models[ref] = m
	}
	return m, err
}

// CheckStart implements sweep.Inputs.
func (in *inputs) CheckStart(m trial.ModelInfo, l lora.Spec) ([]string, error) {
	return trainer.CheckStart(m, l)
}

// CheckText implements sweep.Inputs.
func (in *inputs) CheckText(ctx context.Context, m trial.ModelInfo, d trial.DataSpec) error {
	return trainer.CheckText(ctx, m, d)
}

// StartSum implements sweep.Inputs.
func (in *inputs) StartSum(l lora.Spec) (string, error) {
	dir := l.InitAdapter
	if sum, ok := in.startAdapters[dir]; ok || dir == "" {
		return sum, nil
	}
	sum, err := trainer.AdapterSum(dir)
	if err != nil {
		return "", fmt.Errorf("lora.init_adapter %s: %w", dir, err)
	}
	in.startAdapters[dir] = sum
	return sum, nil
}

// Corpus implements sweep.Inputs.
func (in *inputs) Corpus(ctx context.Context, m trial.ModelInfo, spec trial.DataSpec) (trial.CorpusInfo, []string, error) {
	key := fmt.Sprintf("%s %+v", m.Reference, spec)
	p, ok := in.corpora[key]
	if ok {
		return p.Info, p.Warnings, nil
	}
	files, err := trainer.Files(m)
	if err == nil {
		err = store.AwaitRemovals(ctx, in.app.root) // of one that began before the database knew who needs the corpus
	}
	if err != nil {
		return trial.CorpusInfo{}, nil, err
	}
	show, done := in.app.byteProgress("reading the data")
	var forms []string
	p, err = corpus.Prepare(ctx, filepath.Join(in.app.root, "cache"), corpus.Source{
		Files: files, Model: m, Spec: spec, Hub: in.app.hub(), Found: func(line string) { forms = append(forms, line) },
	}, show)
	done()
	for _, line := range forms {
		if !slices.Contains(in.forms, line) {
			in.forms = append(in.forms, line)
			in.app.sayForm(line)
		}
	}
	if err != nil {
		return trial.CorpusInfo{}, nil, err
	}
	in.corpora[key] = p
	return p.Info, p.Warnings, nil
}

// hub says where hub models come from, by Hugging Face's own variables; a fetch, which can take minutes, is announced.
func (a *app) hub() hub.Client {
	h := hub.FromEnv(os.Getenv)
	h.Notify = func(text string) { a.say("%s", text) }
	return h
}
