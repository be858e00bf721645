package grid

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// LadderSpec is one ladder of an expanded grid.
type LadderSpec struct {
	Cell       sweep.Cell
	Model      string // a key of the models that Expand was given
	Data       trial.DataSpec
	Candidates []sweep.Cell // the combinations of the tuned axes; empty where nothing is tuned
	Ranks      []int
	Specs      [][]trial.Spec // by rank: candidate by candidate, each over the seeds
}

// ResolveModel says what a grid's model means for a grid file in dir: builtin:<name> stays, a folder that exists becomes
// absolute, exactly one slash without such a folder is a hub id and stays, and anything else, such as file.gguf, is a path,
// made absolute, for whoever opens it to miss.
func ResolveModel(dir, ref string) string {
	if strings.HasPrefix(ref, trial.BuiltinPrefix) {
		return ref
	}
	path := resolvePath(dir, ref)
	if info, err := os.Stat(path); err == nil && info.IsDir() || strings.HasSuffix(ref, trial.GGUFSuffix) {
		return path
	}
	if strings.Count(ref, "/") == 1 && !strings.HasPrefix(ref, ".") && !strings.HasPrefix(ref, "/") && !strings.HasSuffix(ref, "/") {
		return ref
	}
	return path
}

func resolvePath(dir, path string) string {
	if strings.HasPrefix(path, trial.BuiltinPrefix) || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// ResolveData makes the names of corpora that are relative to dir absolute, but for those of the hub's data sets.
func ResolveData(dir string, names []string) []string {
	var resolved []string
	for _, name := range names {
		if !IsHubData(dir, name) {
			name = resolvePath(dir, name)
		}
		resolved = append(resolved, name)
	}
	return resolved
}

// Models returns the base models of the grid, resolved, each once: what must be inspected before Expand.
func (g Grid) Models(dir string) []string {
	var refs []string
	for _, ref := range g.model {
		if resolved := ResolveModel(dir, ref); !slices.Contains(refs, resolved) {
			refs = append(refs, resolved)
		}
	}
	return refs
}

// dataSpec is the corpus with absolute paths.
func (g Grid) dataSpec(dir string) trial.DataSpec {
	d := g.data
	d.Train, d.Validation, d.Retain = ResolveData(dir, d.Train), ResolveData(dir, d.Validation), ResolveData(dir, d.Retain)
	return d
}

// Expand returns the grid's ladders, with what to warn of. dir is the folder of the grid file, models what was found of
// Models(dir). Cells vary in the order of the grid's keys (see sweep schema), the first slowest: model, target_modules,
// alpha, dropout and so on. The error joins a GridError for each thing that does not fit a model.
func (g Grid) Expand(dir string, models map[string]trial.ModelInfo) ([]LadderSpec, []string, error) {
	axes := axisKeys()
	sizes, _ := g.split(axes)
	var found findings
	var ladders []LadderSpec
	for _, at := range combinations(sizes) {
		s := g.resolved(axes, at, 1, 0, dir)
		model, known := models[s.Model]
		if !known {
			return nil, nil, fmt.Errorf("expand the grid: model %s was not inspected", s.Model)
		}
		candidates := g.candidates(axes, at)
		specs := make([]trial.Spec, len(candidates))
		for i, c := range candidates {
			specs[i] = g.resolved(axes, c, 1, 0, dir)
		}
		ranks, ok := g.fitAll(specs, model, &found)
		if !ok {
			continue
		}
		ladders = append(ladders, LadderSpec{
			Cell: g.cell(axes, at, s), Model: s.Model, Data: s.Data, Candidates: g.candidateCells(axes, candidates, specs),
			Ranks: ranks, Specs: g.rungs(axes, candidates, ranks, dir),
		})
	}
	if err := errors.Join(found.problems...); err != nil {
		return nil, nil, err
	}
	return ladders, found.warnings, nil
}

// rungs returns the specs of a cell for every rank, candidate and seed.
func (g Grid) rungs(axes []key, candidates [][]int, ranks []int, dir string) [][]trial.Spec {
	specs := make([][]trial.Spec, len(ranks))
	for i, rank := range ranks {
		for _, at := range candidates {
			for _, seed := range g.Seeds {
				specs[i] = append(specs[i], g.resolved(axes, at, rank, seed, dir))
			}
		}
	}
	return specs
}

// fitAll checks every candidate of a cell and returns the ranks that all of them can climb.
func (g Grid) fitAll(specs []trial.Spec, m trial.ModelInfo, found *findings) (ranks []int, ok bool) {
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

// resolved is spec with absolute paths.
func (g Grid) resolved(axes []key, at []int, rank int, seed int64, dir string) trial.Spec {
	s := g.spec(axes, at, rank, seed)
	s.Model = ResolveModel(dir, s.Model)
	s.Data = g.dataSpec(dir)
	if s.LoRA.InitAdapter != "" {
		s.LoRA.InitAdapter = resolvePath(dir, s.LoRA.InitAdapter)
	}
	return s
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
		found.fail(g, "data.sequence_length", fmt.Sprintf("data.sequence_length: %d is above the %d positions of %s; write at most %d",
			T, m.MaxPositions, s.Model, m.MaxPositions))
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
		found.fail(g, "lora.init", fmt.Sprintf("lora.init: pissa takes its start from the singular directions of the weight, of which the narrowest target of %s has %d; end the ladder there",
			s.Model, full))
		return nil, false
	}
	for _, w := range warnings {
		found.warn(w)
	}
	return ranks, ok
}
