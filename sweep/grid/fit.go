package grid

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// fitTargets returns the modules that a cell adapts, with what to warn of.
func (g Grid) fitTargets(s trial.Spec, m trial.ModelInfo, found *findings) ([]lora.Module, error) {
	l := s.LoRA
	targets, err := l.Match(m.Modules)
	if err != nil {
		return nil, err
	}
	if _, err := l.Trainables(targets, m.Modules, m.Tensors); err != nil {
		return nil, err
	}
	if len(l.LayersToTransform) > 0 {
		layers := l.LayersOf(m.Modules)
		for _, layer := range l.LayersToTransform {
			if len(layers) > 0 && !slices.Contains(layers, layer) {
				found.warn(fmt.Sprintf("layers_to_transform: %d is no layer of %s, which has %s", layer, s.Model, lora.LayerSpan(layers)))
			}
		}
	}
	for _, entry := range l.TargetModules.Unmatched(m.Modules) {
		found.warn(fmt.Sprintf("target_modules: %s matches no module of %s", entry, s.Model))
	}
	for _, entry := range l.ExcludeModules.Unmatched(m.Modules) {
		found.warn(fmt.Sprintf("exclude_modules: %s matches no module of %s", entry, s.Model))
	}
	return targets, nil
}

// failTargets reports what is wrong with the choice of modules, each problem at the key that it is about.
func (g Grid) failTargets(s trial.Spec, err error, found *findings) {
	for _, cause := range causes(err) {
		path := "lora.target_modules"
		if about, ok := errors.AsType[lora.KeyError](cause); ok {
			path = "lora." + about.Key
		}
		found.fail(g, path, fmt.Sprintf("%v (model %s)", cause, s.Model))
	}
}

// fitPatterns returns the targets whose rank is the ladder's. Those with a rank of their own have the same at every rung, which
// is worth a warning: what the ladder then compares is the rank of the others.
func (g Grid) fitPatterns(s trial.Spec, targets []lora.Module, found *findings) ([]lora.Module, bool) {
	for _, patterns := range []struct {
		name string
		list lora.Patterns
	}{{"rank_pattern", s.LoRA.RankPattern}, {"alpha_pattern", s.LoRA.AlphaPattern}} {
		for _, p := range patterns.list {
			if !slices.ContainsFunc(targets, func(m lora.Module) bool { return p.Matches(m.Name) }) {
				found.warn(fmt.Sprintf("%s: %s matches no target of %s", patterns.name, p.Key, s.Model))
			}
		}
	}
	var varying []lora.Module
	scaled := false
	for _, m := range targets {
		rank, fixed := s.LoRA.RankPattern.Value(m.Name)
		if !fixed {
			varying = append(varying, m)
			continue
		}
		if full := min(m.In, m.Out); int(rank) > full {
			found.fail(g, "lora.rank_pattern", fmt.Sprintf("lora.rank_pattern: %g is above %d, the full rank of %s (model %s)", rank,
				full, m.Name, s.Model))
			return nil, false
		}
		if _, own := s.LoRA.AlphaPattern.Value(m.Name); !own {
			scaled = true
		}
	}
	if len(varying) == 0 {
		found.fail(g, "lora.rank_pattern", "lora.rank_pattern gives every target a rank of its own, so lora.rank changes nothing; leave "+
			"some target out of it")
		return nil, false
	}
	if fixed := len(targets) - len(varying); fixed > 0 && g.rank.varies() {
		found.warn(fmt.Sprintf("rank_pattern fixes the rank of %d of %d targets of %s: the verdict is about the rank of the others, "+
			"with these as they are",
			fixed, len(targets), s.Model))
		if scaled && slices.ContainsFunc(g.alpha, func(a alpha) bool { return a.perRank }) {
			found.warn("alpha grows with the ladder's rank, and so does the scaling of the targets whose rank rank_pattern fixes; give them an " +
				"alpha_pattern to keep it")
		}
	}
	return varying, true
}

// contradictions reports settings of PEFT that exclude or need each other.
func (r *reader) contradictions() {
	g := &r.grid
	pattern := slices.ContainsFunc(g.targets, func(t lora.Targets) bool { return t.Pattern != "" })
	layers := slices.ContainsFunc(g.layers, func(v []int) bool { return v != nil })
	named := slices.ContainsFunc(g.layersName, func(v []string) bool { return v != nil })
	pissa, truncates := slices.Contains(g.init, lora.InitPiSSA), g.strategy != sweep.StrategyLadder
	strategy := "strategy: " + string(g.strategy) + " truncates updates"
	r.failEach([]contradiction{
		{
			layers && pattern, "lora.layers_to_transform",
			"needs target_modules as a list of names, not a text (PEFT's rule); write the names, or put the layers into the expression",
		},
		{
			named && slices.ContainsFunc(g.layers, func(v []int) bool { return v == nil }), "lora.layers_pattern",
			"says where layer numbers stand; write layers_to_transform too",
		},
		{
			pissa && slices.Contains(g.rsLoRA, true) && len(g.rankOf)+len(g.alphaOf) > 0, "lora.init",
			"pissa with use_rslora and patterns cannot be stored as an adapter for the unchanged base (PEFT refuses it too); leave one out",
		},
		{pissa && g.initAdapter != "", "lora.init", "pissa and init_adapter are two different starts; remove one"},
		{
			truncates && slices.Contains(g.dora, true), "lora.use_dora",
			strategy + ", while DoRA's lengths would stay those of the larger rank; write strategy: ladder",
		},
		{
			truncates && slices.ContainsFunc(g.bias, func(b string) bool { return b != lora.BiasNone }), "lora.bias",
			strategy + ", while biases would stay those trained beside the larger rank; write strategy: ladder",
		},
		{
			truncates && slices.ContainsFunc(g.save, func(v []string) bool { return v != nil }), "lora.modules_to_save",
			strategy + ", while whole modules would stay those trained beside the larger rank; write strategy: ladder",
		},
		{truncates && pissa, "lora.init", strategy + " of the model, while pissa changes the model itself by another part " +
			"at each rank; write strategy: ladder"},
		{g.rank.full && slices.Contains(g.dora, true), "lora.use_dora", "is a way to adapt, and full in lora.rank has no adapter; remove one"},
		{g.rank.full && pissa, "lora.init", "pissa is a start of adapters, and full in lora.rank has none; remove one"},
		{
			g.rank.full && g.initAdapter != "", "lora.init_adapter",
			"gives every rank a start that full in lora.rank cannot have; remove one, or merge the adapter into the model first",
		},
		{!g.rank.full && len(g.fullRate) > 0, "train.full_learning_rate", "is that of full fine-tuning; write full after the last rank, or " +
			"remove it"},
		{g.plusEmbed > 0 && g.plusRatio == 0, "lora.loraplus_lr_embedding", "belongs to LoRA+; write loraplus_lr_ratio too"},
	})
	r.dtypeContradictions()
}

// dtypeContradictions reports them for train.dtype.
func (r *reader) dtypeContradictions() {
	g := &r.grid
	r.failEach([]contradiction{
		{
			g.rank.full && slices.ContainsFunc(g.train.dtype, quantises), "train.dtype",
			"quantises the base, which full in lora.rank would have to train; remove full, or write float32 or bfloat16",
		},
		{g.DtypeIsAuto() && len(g.train.dtype) > 1, "train.dtype", "auto decides between float32 and bfloat16, so it stands alone; remove one"},
		{
			r.given["train.compute_dtype"] != position{} && slices.ContainsFunc(g.train.dtype, func(v string) bool { return !quantises(v) }),
			"train.compute_dtype", "belongs to dtype nf4, int8 and gguf; float32 and bfloat16 say themselves what is computed with; remove it",
		},
	})
}

// contradiction is what is wrong with a key where others are as they are.
type contradiction struct {
	wrong     bool
	path, say string
}

func (r *reader) failEach(all []contradiction) {
	for _, c := range all {
		if c.wrong {
			r.failAt(r.given[c.path], "%s: %s", c.path, c.say)
		}
	}
}

func quantises(dtype string) bool { return trial.TrainSpec{Dtype: dtype}.Quantises() }

// fitDtype reports what of a model's file dtype: gguf cannot keep.
func (g Grid) fitDtype(s trial.Spec, m trial.ModelInfo, found *findings) bool {
	if s.Train.Dtype != trial.DtypeGGUF {
		return true
	}
	const instead = "write float32 or bfloat16 to train on its values, or nf4 or int8 to quantise these"
	if len(m.Quantised) == 0 {
		found.fail(g, "train.dtype", fmt.Sprintf("train.dtype: gguf keeps what a GGUF file has quantised, and model %s has nothing quantised; %s",
			s.Model, instead))
		return false
	}
	for _, format := range m.Quantised {
		if !slices.Contains(trial.KeptFormats(), format) {
			found.fail(g, "train.dtype", fmt.Sprintf("train.dtype: model %s has weights in %s, which cannot stay quantised (%s can); %s", s.Model,
				format, strings.Join(trial.KeptFormats(), ", "), instead))
			return false
		}
	}
	return true
}

// causes takes apart what errors.Join put together.
func causes(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, causes(e)...)
	}
	return all
}

// Allows reports what of the grid a strategy other than its own cannot work with, as an Error each.
func (g Grid) Allows(s sweep.Strategy) error {
	g.strategy = s
	r := &reader{file: g.file, grid: g, given: g.at}
	r.contradictions()
	if !g.rank.varies() {
		r.failAt(r.given["lora.rank"], "lora.rank: one rank has no curve; write several")
	}
	return r.err()
}
