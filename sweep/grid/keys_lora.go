package grid

import (
	"math"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// loraPlusEmbedding is the learning rate of LoRA on embeddings under LoRA+ (PEFT 0.21, create_loraplus_optimizer).
const loraPlusEmbedding = 1e-6

func loraKeys() []key {
	rank := key{
		path: "lora.rank", schema: rankSchema(), read: readRanks, example: "rank: [1, 2, 4, 8, 16]",
		doc: "Ranks to climb, ascending; 8 means [8]; {from: 1, to: 64} doubles and ends at 64; {from: 1} doubles until a verdict or the " +
			"full rank of the widest target. full at the end of a list trains the targets themselves, as the reference that the ranks are " +
			"held against.",
		text: func(g *Grid) string { return g.rank.String() },
	}
	targets := axisKey("lora.target_modules", "Modules to adapt, by PEFT's rules: a list matches the ends of names, a string is a regular "+
		"expression (RE2) for whole names, all-linear is every linear module but the output head. Axis only as a list of lists.",
		targetsCodec(), func(g *Grid) *[]lora.Targets { return &g.targets },
		func(s *trial.Spec, v lora.Targets) { s.LoRA.TargetModules = v }).needs("target_modules: [c_attn]")
	targets.list = false // a string is an expression, a list is of modules
	targets.read, targets.schema = targetReader{
		path: "lora.target_modules", field: func(g *Grid) *[]lora.Targets { return &g.targets },
		words: []string{lora.AllLinear},
	}.read, targetAxisSchema()
	keys := []key{
		rank,
		targets,
		axisKey("lora.alpha", "LoRA alpha; the update is scaled by alpha/rank. A number, or a multiple of the rank (2r). Required "+
			"where rank varies. Axis.",
			alphaCodec(), func(g *Grid) *[]alpha { return &g.alpha },
			func(s *trial.Spec, v alpha) { s.LoRA.Alpha = v.at(s.LoRA.Rank) }),
		axisKey("lora.dropout", "Dropout on the adapters' input. Axis.",
			numberCodec(0, false, 1), func(g *Grid) *[]float64 { return &g.dropout },
			func(s *trial.Spec, v float64) { s.LoRA.Dropout = v }),
		axisKey("lora.use_rslora", "Scale by alpha/sqrt(rank) instead of alpha/rank. Axis.",
			boolCodec(), func(g *Grid) *[]bool { return &g.rsLoRA },
			func(s *trial.Spec, v bool) { s.LoRA.UseRSLoRA = v }),
		axisKey("lora.init", "Initial values of A; B starts at zero. pissa takes both from the largest singular directions of the "+
			"weight, and leaves the "+
			"rest of it as the base. Axis.",
			choiceCodec(lora.InitKaiming, lora.InitGaussian, lora.InitPiSSA), func(g *Grid) *[]string { return &g.init },
			func(s *trial.Spec, v string) { s.LoRA.Init = v }),
	}
	keys = append(keys, moduleKeys()...)
	return append(keys,
		axisKey("lora.use_dora", "Weight-decomposed LoRA: the length of each row of the weight is trained apart from its direction. Axis.",
			boolCodec(), func(g *Grid) *[]bool { return &g.dora },
			func(s *trial.Spec, v bool) { s.LoRA.UseDoRA = v }).quiet("false"),
		axisKey("lora.bias", "Biases that train too: none, those of the targets (lora_only), or every one of the model (all). Axis.",
			choiceCodec(lora.BiasNone, lora.BiasLoRAOnly, lora.BiasAll), func(g *Grid) *[]string { return &g.bias }, setBias).quiet(lora.BiasNone),
		patternKey("lora.rank_pattern", "Ranks of their own for some targets, as {pattern: rank}: a pattern is a regular expression for the "+
			"end of a name, and the first "+
			"that matches decides. These ranks stay as they are while the ladder climbs.", countCodec(1),
			func(g *Grid) *lora.Patterns { return &g.rankOf }),
		patternKey("lora.alpha_pattern", "Alphas of their own for some targets, as {pattern: alpha}; see rank_pattern.",
			numberCodec(0, true, math.Inf(1)), func(g *Grid) *lora.Patterns { return &g.alphaOf }),
		singleKey("lora.loraplus_lr_ratio", "LoRA+: B (and biases and magnitudes) learn at this multiple of the learning rate. Default: off.",
			numberCodec(1, false, math.Inf(1)), func(g *Grid) *float64 { return &g.plusRatio }).optional("0"),
		singleKey("lora.loraplus_lr_embedding", "Under LoRA+, the learning rate of LoRA on embeddings. Default: 1e-06.",
			numberCodec(0, true, math.Inf(1)), func(g *Grid) *float64 { return &g.plusEmbed }).optional("0"),
		singleKey("lora.init_adapter", "PEFT adapter folder that every rank starts from, padded or truncated to it; relative to the grid file.",
			textCodec("a folder"), func(g *Grid) *string { return &g.initAdapter }).optional(`""`),
	)
}

// moduleKeys are those that narrow the targets down or add modules that train in full.
func moduleKeys() []key {
	exclude := axisKey("lora.exclude_modules", "Modules to leave out of the targets: names or a regular expression as in target_modules. "+
		"Axis only as a list of lists.",
		targetsCodec(), func(g *Grid) *[]lora.Targets { return &g.exclude },
		func(s *trial.Spec, v lora.Targets) { s.LoRA.ExcludeModules = v }).quiet("[]")
	exclude.read = targetReader{path: "lora.exclude_modules", field: func(g *Grid) *[]lora.Targets { return &g.exclude }, none: true}.read
	exclude.schema = nestedSchema(textCodec("").schema)
	return []key{
		exclude,
		nestedKey("lora.layers_to_transform", "Numbers of the layers to adapt, from 0; needs target_modules as a list. Default: all. Axis "+
			"only as a list of lists.",
			countCodec(0), func(g *Grid) *[][]int { return &g.layers },
			func(s *trial.Spec, v []int) { s.LoRA.LayersToTransform = v }),
		nestedKey("lora.layers_pattern", "What stands before the layer's number in a module's name, such as layers or h. Default: anything. "+
			"Axis only as a list of lists.",
			regexpCodec(), func(g *Grid) *[][]string { return &g.layersName },
			func(s *trial.Spec, v []string) { s.LoRA.LayersPattern = v }),
		nestedKey("lora.modules_to_save", "Ends of the names of modules that train in full and are stored with the adapter, such as lm_head. "+
			"Axis only as a list of lists.",
			regexpCodec(), func(g *Grid) *[][]string { return &g.save },
			func(s *trial.Spec, v []string) { s.LoRA.ModulesToSave = v }),
	}
}

func setBias(s *trial.Spec, v string) {
	if v == lora.BiasNone {
		v = ""
	}
	s.LoRA.Bias = v
}
