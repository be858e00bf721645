package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"path/filepath"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/corpus"
)

// evalTrial scores on a trial's validation rows: the trial's own adapter, or what the flags name instead.
func (a *app) evalTrial(ctx context.Context, r evalRequest) error {
	if r.last && (r.model != "" || r.adapter != "") {
		return usagef("--last is an adapter of the trial; leave it out beside --model and --adapter")
	}
	var of sweep.Info
	record, err := readTrial(ctx, a, r.trial, func(db *store.DB, record store.TrialRecord) (err error) {
		if len(record.Places) > 0 {
			of, err = db.Find(ctx, record.Places[0].Sweep)
		}
		return err
	})
	if err != nil {
		return err
	}
	trial := record.Trial.Trial()
	choice, err := a.resolveBackend(ctx, sweep.Info{})
	if err != nil {
		return asUsage(err)
	}
	view := evalView{Trial: string(trial.ID)}
	o := trainer.EvaluateOptions{Adapter: r.adapter, Backend: choice}
	if r.model == "" && r.adapter == "" {
		if o.Adapter, err = a.adapterFolder(record.TrialFacts, r.last); err != nil {
			return err
		}
		view.ValLoss = record.Final().ValLoss
		if r.last {
			view.ValLoss = record.Final().LastValLoss
		}
		if trial.Backend != choice.Identity {
			a.say("the trial was trained on %s; %s rounds differently", trial.Backend, choice.Identity)
		}
	}
	ref := r.model
	if ref == "" {
		ref = trial.Spec.Model
	}
	if o.Model, err = trainer.Inspect(ctx, ref, trainer.InspectOptions{Hub: a.hub()}); err != nil {
		return asUsage(err)
	}
	if r.model == "" && o.Model.Fingerprint != trial.Base {
		return usagef("model %s has changed since the trial was trained: restore it, or name another with --model", ref)
	}
	corpus, err := a.corpusOf(ctx, trial)
	if err != nil {
		return asUsage(err)
	}
	if view.Evaluation, err = trainer.EvaluateOnTrial(ctx, trial, corpus, o); err != nil {
		return asUsage(err)
	}
	if trial.Backend == choice.Identity {
		view.Warnings = append(view.Warnings, driftWarnings(view, a.trainAnew(of))...)
	}
	return a.writeEvaluation(view)
}

// driftTolerance is how far a trial's own adapter may score from its val_loss on the trial's own backend, in nats. The two are one
// computation, and gave equal bits wherever it was measured (experiments/LOG.md 2026-11-25).
const driftTolerance = 1e-5

// trainAnew is the command that trains a sweep's grid again, in a root beside this one.
func (a *app) trainAnew(info sweep.Info) string {
	s := a.shellOf(info)
	s.Root = a.root + "-anew"
	return s.Command("run", cmp.Or(s.Grid, "GRID.yaml"))
}

// driftWarnings says where a trial's own adapter does not give the recorded loss again.
func driftWarnings(v evalView, trainAnew string) []string {
	if v.ValLoss == nil || math.Abs(v.Loss-*v.ValLoss) <= driftTolerance {
		return nil
	}
	return []string{fmt.Sprintf("the adapter scores %.7g where trial %s recorded %.7g, more than %g apart on the trial's own backend: "+
		"its adapter folder has been changed, or another version of the program trained it; "+
		"train the grid again in another root: %s",
		v.Loss, v.Trial, *v.ValLoss, driftTolerance, trainAnew)}
}

// corpusOf returns the folder of a trial's prepared corpus. One that is gone from the cache, or damaged, or of another version of
// the program, is made again from the data.
func (a *app) corpusOf(ctx context.Context, t trial.Trial) (string, error) {
	path := filepath.Join(a.root, "cache", t.Data)
	if c, err := corpus.Open(path); err == nil {
		return path, c.Close()
	}
	in := a.newInputs()
	m, err := in.Model(ctx, t.Spec.Model)
	if err != nil {
		return "", err
	}
	info, _, err := in.Corpus(ctx, m, t.Spec.Data)
	if err != nil {
		return "", err
	}
	if info.Fingerprint != t.Data {
		return "", usagef("the data has changed since trial %s was trained, or another version of the program reads it in another way, and the "+
			"cache does not hold its corpus: restore the data", t.ID)
	}
	return path, nil
}
