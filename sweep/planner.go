package sweep

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Grid is what a Planner needs of a grid file whose names are resolved.
type Grid interface {
	// Models lists the base models, each once.
	Models() []string
	// Expand returns the ladders on these models, with what to warn of.
	Expand(models map[string]trial.ModelInfo) ([]LadderPlan, []string, error)
	// ErrorAt places an error about a key of the grid in its file.
	ErrorAt(key string, err error) error
}

// Inputs reads what a grid names.
type Inputs interface {
	// Model reads a base model's files.
	Model(ctx context.Context, ref string) (trial.ModelInfo, error)
	// CheckStart reports whether a trial can start from its init_adapter, without reading a base weight, and what to warn of.
	CheckStart(m trial.ModelInfo, l lora.Spec) ([]string, error)
	// CheckText reports whether the model can make ids of the data, as far as the first row of each file tells.
	CheckText(ctx context.Context, m trial.ModelInfo, d trial.DataSpec) error
	// StartSum is the SHA-256 of the init_adapter's content; "" for none.
	StartSum(l lora.Spec) (string, error)
	// Corpus tokenises the data for a model, with what to warn of.
	Corpus(ctx context.Context, m trial.ModelInfo, d trial.DataSpec) (trial.CorpusInfo, []string, error)
}

// History knows what finished sweeps measured.
type History interface {
	// FinishedLadders returns the ladders of finished sweeps that trained this model on these data with these settings, the newest
	// sweep first.
	FinishedLadders(ctx context.Context, base, data string, train trial.TrainSpec) ([]FinishedLadder, error)
}

// FinishedLadder is a ladder of a finished sweep: the losses of its complete rungs, ranks ascending.
type FinishedLadder struct {
	Sweep string
	Rungs []plateau.Losses
}

// Planner turns a grid into ladders of trials, and those into what a store registers.
type Planner struct {
	Grid   Grid
	Inputs Inputs
}

// Ladders reads the models and expands the grid on them. The trials have no identity yet.
func (p Planner) Ladders(ctx context.Context) ([]LadderPlan, []string, error) {
	models := map[string]trial.ModelInfo{}
	for _, ref := range p.Grid.Models() {
		m, err := p.Inputs.Model(ctx, ref)
		if err != nil {
			return nil, nil, p.Grid.ErrorAt("model", err)
		}
		models[ref] = m
	}
	return p.Grid.Expand(models)
}

// CheckStarts finds out whether the trials can start from lora.init_adapter, and what to warn of. Neither rank nor seed matters to
// that, so the lowest rank speaks for all.
func (p Planner) CheckStarts(ladders []LadderPlan) ([]string, error) {
	var all []string
	for _, l := range ladders {
		for _, t := range l.Rungs[0].PerCandidate() {
			warnings, err := p.Inputs.CheckStart(l.Model, t.Spec.LoRA)
			if err != nil {
				return nil, p.Grid.ErrorAt("lora.init_adapter", err)
			}
			all = withNew(all, warnings)
		}
	}
	return all, nil
}

// withNew appends the warnings that are not there yet.
func withNew(all, warnings []string) []string {
	for _, w := range warnings {
		if !slices.Contains(all, w) {
			all = append(all, w)
		}
	}
	return all
}

// CheckText finds out whether every model can make ids of the grid's data.
func (p Planner) CheckText(ctx context.Context, ladders []LadderPlan) error {
	var errs []error
	var seen []string
	for _, l := range ladders {
		s := l.Spec()
		if slices.Contains(seen, s.Model) {
			continue
		}
		seen = append(seen, s.Model)
		if err := p.Inputs.CheckText(ctx, l.Model, s.Data); err != nil {
			errs = append(errs, p.Grid.ErrorAt("model", err))
		}
	}
	return errors.Join(errs...)
}

// Register completes a registration on its backend: the ladders with all their trials, and what to warn of.
func (p Planner) Register(ctx context.Context, r Registration) (Registration, error) {
	ladders, warnings, err := p.Ladders(ctx)
	if err != nil {
		return r, err
	}
	ofStarts, err := p.CheckStarts(ladders)
	if err != nil {
		return r, err
	}
	if err := p.CheckText(ctx, ladders); err != nil {
		return r, err
	}
	r.Warnings = withNew(warnings, ofStarts)
	for i, l := range ladders {
		ladders[i] = LadderPlan{} // a large sweep's trials take hundreds of megabytes: not twice
		s := l.Spec()
		corpus, warnings, err := p.Inputs.Corpus(ctx, l.Model, s.Data)
		if err != nil {
			return r, err
		}
		r.Warnings = withNew(r.Warnings, warnings)
		start, err := p.Inputs.StartSum(s.LoRA)
		if err != nil {
			return r, err
		}
		on := l.On(corpus, start, r.Backend)
		if err := p.checkSteps(on); err != nil {
			return r, err
		}
		r.Ladders = append(r.Ladders, on)
	}
	return r, nil
}

// mostSteps bounds what epochs multiply to, as the grid bounds steps that are written down.
const mostSteps = 1_000_000_000

// checkSteps refuses numbers of steps that make no sense, which is known of epochs only once the data is read.
func (p Planner) checkSteps(l LadderPlan) error {
	for _, t := range l.Rungs[0].PerCandidate() {
		switch s := t.Spec.Train; {
		case s.Steps > mostSteps:
			return p.Grid.ErrorAt("train.num_train_epochs", fmt.Errorf("%w: train.num_train_epochs makes %d steps of %d rows; lower it",
				trial.ErrInput, s.Steps, l.Corpus.TrainSequences))
		case s.WarmupSteps > s.Steps:
			return p.Grid.ErrorAt("train.warmup_steps", fmt.Errorf("%w: train.warmup_steps: %d is more than the %d steps that "+
				"train.num_train_epochs makes of %d rows, so the learning rate would never be reached; lower it, or write warmup_ratio",
				trial.ErrInput, s.WarmupSteps, s.Steps, l.Corpus.TrainSequences))
		}
	}
	return nil
}

// Trials is how many trials it has.
func (r Registration) Trials() int {
	n := 0
	for _, l := range r.Ladders {
		for _, rung := range l.Rungs {
			n += len(rung.Trials)
		}
		n += len(l.Reference)
	}
	return n
}

// Parallel is how many trials may run at once: those of one rung of every ladder.
func (r Registration) Parallel() int {
	n := 0
	for _, l := range r.Ladders {
		n += len(l.Rungs[0].Trials)
	}
	return n
}

// Scouts is how many trials may run at once of a sweep that ends with its scouts.
func (r Registration) Scouts() int {
	n := 0
	for _, l := range r.Ladders {
		n += len(l.Rungs[0].PerCandidate())
	}
	return n
}

// SameInputs refuses to go on with other inputs than the sweep was registered with: a model or text that changed under a running
// sweep would mix two experiments in one ladder.
func (s Snapshot) SameInputs(r Registration) error {
	if len(s.Ladders) != len(r.Ladders) {
		return errors.New("the grid expands to other ladders than this sweep has: it was registered by another version of the program; " +
			"finish it with that one, or run the grid under another name")
	}
	for i, l := range s.Ladders {
		now := r.Ladders[i]
		switch {
		case l.Model.Fingerprint != now.Model.Fingerprint:
			return s.Sweep.changed("model " + l.Model.Reference)
		case l.Corpus.Fingerprint != now.Corpus.Fingerprint:
			return s.Sweep.changed("data")
		}
		for j, rung := range l.Rungs {
			if plan := now.Rungs[j]; rung.Rank != plan.Rank || rung.Trials[0].Trial.ID != plan.Trials[0].Trial.ID {
				return s.Sweep.changed("adapter that the trials start from, or the training code,")
			}
		}
	}
	return nil
}

// Holds reports whether registering r would change nothing: the sweep has its trials, and their inputs lie where r says.
func (s Snapshot) Holds(r Registration) bool {
	on := s.Sweep
	if on.Backend != r.Backend || on.Platform != r.Platform || on.PluginPath != r.PluginPath || len(s.Ladders) != len(r.Ladders) {
		return false
	}
	same := func(a, b *trial.ModelInfo, c, d *trial.CorpusInfo) bool {
		return reflect.DeepEqual(a, b) && reflect.DeepEqual(c, d)
	}
	for i := range r.Ladders {
		l, p := &s.Ladders[i], &r.Ladders[i]
		// Mostly either side has the inputs of its ladder before, in the same memory, which is seen at once.
		known := i > 0 && same(&l.Model, &s.Ladders[i-1].Model, &l.Corpus, &s.Ladders[i-1].Corpus) &&
			same(&p.Model, &r.Ladders[i-1].Model, &p.Corpus, &r.Ladders[i-1].Corpus)
		if !known && !same(&l.Model, &p.Model, &l.Corpus, &p.Corpus) || !l.holds(p) {
			return false
		}
	}
	return len(s.Ladders) > 0
}

// holds reports whether the ladder's trials are the planned ones, with their inputs where they are planned to be.
func (l *Ladder) holds(p *LadderPlan) bool {
	if len(l.Rungs) != len(p.Rungs) {
		return false
	}
	for i, r := range l.Rungs {
		if r.Rank != p.Rungs[i].Rank || !holdTrials(r.Trials, p.Rungs[i].Trials) {
			return false
		}
	}
	for i := range l.Scouts {
		if !l.Scouts[i].Trial.Shared.Spec.LiesAt(&p.Rungs[0].Trials[0].Trial.Shared.Spec) {
			return false
		}
	}
	return holdTrials(l.Reference, p.Reference)
}

// holdTrials reports whether those that are not extra are the planned ones, and the inputs of all where they are planned to be.
func holdTrials(facts []TrialFacts, planned []PlannedTrial) bool {
	left := planned
	for i := range facts {
		t := &facts[i]
		if !t.Extra {
			if len(left) == 0 || left[0].Trial.ID != t.Trial.ID {
				return false
			}
			left = left[1:]
		}
		if len(planned) == 0 || !t.Trial.Shared.Spec.LiesAt(&planned[0].Trial.Shared.Spec) {
			return false
		}
	}
	return len(left) == 0
}

func (i Info) changed(what string) error {
	return fmt.Errorf("%w: the %s has changed since sweep %s was registered; restore it, or run the grid under another name",
		trial.ErrInput, what, i.Name)
}

// WithNoise resolves noise_sd, which only ladders of one seed need: the grid's, else what a finished sweep of equal model, data and
// training saw, else the default.
func (r Registration) WithNoise(ctx context.Context, h History, info Info) (Registration, error) {
	r.NoiseSD, r.NoiseSource = info.Rule.NoiseSD, info.Rule.NoiseSource
	if r.NoiseSD > 0 || len(info.Seeds) > 1 {
		return r, nil
	}
	r.NoiseSource = plateau.NoiseDefault
	for _, l := range r.Ladders {
		t := l.Rungs[0].Trials[0].Trial.Shared
		finished, err := h.FinishedLadders(ctx, t.Base, t.Data, t.Spec.Train)
		if err != nil {
			return r, err
		}
		for _, f := range finished {
			if sd, ok := plateau.ResidualSD(f.Rungs); ok {
				r.NoiseSD, r.NoiseSource = sd, "sweep "+f.Sweep
				return r, nil
			}
		}
	}
	return r, nil
}
