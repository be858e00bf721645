package grid

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Resolved is a grid whose names of models, data and adapters are resolved: from here on no file system is touched.
type Resolved struct {
	Grid

	models  map[string]string // by the name as written
	data    trial.DataSpec
	adapter string // lora.init_adapter
}

// Resolve finds what the grid's names mean for a grid file in dir (see trial.ResolveModel and trial.ResolveData).
func (g Grid) Resolve(dir string) Resolved {
	r := Resolved{Grid: g, models: map[string]string{}, data: g.data, adapter: g.initAdapter}
	for _, ref := range g.model {
		r.models[ref] = trial.ResolveModel(dir, ref)
	}
	d := &r.data
	d.Train, d.Validation, d.Retain = trial.ResolveData(dir, d.Train), trial.ResolveData(dir, d.Validation), trial.ResolveData(dir, d.Retain)
	if g.initAdapter != "" {
		r.adapter = trial.ResolvePath(dir, g.initAdapter)
	}
	return r
}

// Models returns the base models of the grid, each once: what must be inspected before Expand.
func (r Resolved) Models() []string {
	var refs []string
	for _, ref := range r.model {
		if resolved := r.models[ref]; !slices.Contains(refs, resolved) {
			refs = append(refs, resolved)
		}
	}
	return refs
}

// Expand returns the grid's ladders, with what to warn of. models is what was found of Models. Cells vary in the order of the
// grid's keys (see gridKeys), the first slowest: model, target_modules, alpha, dropout and so on. The trials have no
// identity yet, for that rests on what the data holds. The error joins an Error for each thing that does not fit a model.
func (r Resolved) Expand(models map[string]trial.ModelInfo) ([]sweep.LadderPlan, []string, error) {
	axes, shared := axisKeys(), r.sharedSettings()
	sizes, _ := r.split(axes)
	var found findings
	var ladders []sweep.LadderPlan
	for _, at := range combinations(sizes) {
		s := r.spec(axes, at, 1)
		model, known := models[s.Model]
		if !known {
			return nil, nil, fmt.Errorf("expand the grid: model %s was not inspected", s.Model)
		}
		candidates := r.candidates(axes, at)
		warnOfConstant(s.Train, &found)
		specs := make([]trial.Spec, len(candidates))
		for i, c := range candidates {
			specs[i] = r.spec(axes, c, 1)
		}
		ranks, ok := r.fitAll(specs, model, &found)
		if !ok {
			continue
		}
		ladders = append(ladders, sweep.LadderPlan{
			Cell: r.cell(axes, at, s, shared), Model: model, Candidates: r.candidateCells(axes, candidates, specs),
			Rungs: r.rungs(axes, candidates, specs, ranks), Reference: r.reference(specs),
		})
	}
	if err := errors.Join(found.problems...); err != nil {
		return nil, nil, err
	}
	if r.Strategy().Scouts() && !r.rank.varies() {
		found.warn("lora.rank: one rank has nothing to scout, so it is trained without a scout")
	}
	return ladders, found.warnings, nil
}

// warnOfConstant says that a constant rate is warmed up here, as no one expects who comes from Hugging Face's Trainer.
func warnOfConstant(t trial.TrainSpec, found *findings) {
	if t.LRSchedulerType == trial.SchedulerConstant && (t.WarmupSteps > 0 || t.WarmupRatio > 0) {
		found.warn("lr_scheduler_type: constant is warmed up here as the grid asks; Hugging Face's constant ignores a warm-up: write " +
			"constant_with_warmup, which means the same in both, or leave the warm-up out")
	}
}

// rungs plans a cell's trials for every rank, candidate and seed: here a rank becomes trials. Of a candidate's settings, specs being those
// at the first rank, alpha alone depends on the rank.
func (r Resolved) rungs(axes []key, candidates [][]int, specs []trial.Spec, ranks []int) []sweep.RungPlan {
	shared, specs := make([]*trial.Shared, len(specs)), slices.Clone(specs)
	for c, s := range specs {
		shared[c] = trial.Trial{Spec: s}.Brief().Shared
	}
	alpha := slices.IndexFunc(axes, func(k key) bool { return k.path == "lora.alpha" })
	rungs := make([]sweep.RungPlan, len(ranks))
	for i, rank := range ranks {
		rungs[i].Rank = rank
		rungs[i].Trials = make([]sweep.PlannedTrial, 0, len(candidates)*len(r.Seeds))
		for c, at := range candidates {
			specs[c].LoRA.Rank = rank
			axes[alpha].axis.set(&specs[c], &r.Grid, at[alpha])
			for _, seed := range r.Seeds {
				t := trial.Brief{Rank: rank, Alpha: specs[c].LoRA.Alpha, Seed: seed, Shared: shared[c]}
				rungs[i].Trials = append(rungs[i].Trials, sweep.PlannedTrial{Candidate: c, Trial: t})
			}
		}
	}
	return rungs
}

// fitAll checks every candidate of a cell and returns the ranks that all of them can climb.
func (g Grid) fitAll(specs []trial.Spec, m trial.ModelInfo, found *findings) (ranks []int, ok bool) {
	if g.rank.full && !g.fitReference(specs, m, found) {
		return nil, false
	}
	for i, s := range specs {
		own, fits := g.fit(s, m, found)
		if !fits {
			return nil, false
		}
		if i == 0 || own[len(own)-1] < ranks[len(ranks)-1] {
			ranks = own
		}
	}
	return ranks, true
}

// findings collects what does not fit, each once however many cells share it.
type findings struct {
	problems []error
	warnings []string
}

func (f *findings) warn(text string) {
	if !slices.Contains(f.warnings, text) {
		f.warnings = append(f.warnings, text)
	}
}

func (f *findings) fail(g Grid, path, message string) {
	at := g.at[path]
	p := Error{g.file, at.line, at.column, message}
	if !slices.ContainsFunc(f.problems, func(err error) bool { return errors.Is(err, p) }) {
		f.problems = append(f.problems, p)
	}
}

// fit checks a cell against its model and returns the ranks to climb.
func (g Grid) fit(s trial.Spec, m trial.ModelInfo, found *findings) ([]int, bool) {
	if len(m.Modules) == 0 {
		found.fail(g, "model", fmt.Sprintf("model %s has no linear module to adapt", s.Model))
		return nil, false
	}
	ok := true
	if T := s.Data.SequenceLength; m.MaxPositions > 0 && T > m.MaxPositions {
		found.fail(g, "data.sequence_length", fmt.Sprintf("data.sequence_length: %d is above the %d positions of %s%s; write at most %d",
			T, m.MaxPositions, s.Model, m.BeyondThem, m.MaxPositions))
		ok = false
	}
	if !g.fitDtype(s, m, found) {
		ok = false
	}
	targets, err := g.fitTargets(s, m, found)
	if err != nil {
		g.failTargets(s, err, found)
		return nil, false
	}
	varying, fits := g.fitPatterns(s, targets, found)
	if !fits {
		return nil, false
	}
	bounds := boundsOf(varying)
	ranks, warnings, err := g.rank.ladder(s.Model, bounds)
	if err != nil {
		found.fail(g, rankPath(g.rank.firstAbove(bounds.most())), err.Error())
		return nil, false
	}
	if full := boundsOf(targets).least(); s.LoRA.Init == lora.InitPiSSA && ranks[len(ranks)-1] > full {
		found.fail(g, "lora.init", fmt.Sprintf("lora.init: pissa takes its start from the singular directions of the weight, of which the "+
			"narrowest target of %s has %d; end the ladder there",
			s.Model, full))
		return nil, false
	}
	for _, w := range warnings {
		found.warn(w)
	}
	return ranks, ok
}
