package lora

import (
	"errors"
	"fmt"
	"math"
	"strconv"
)

// Values of Spec.Init.
const (
	InitKaiming  = "kaiming"  // PEFT's default
	InitGaussian = "gaussian" // unit rows divided by r
	InitPiSSA    = "pissa"    // the base weight's largest singular directions, which leave the base (Meng et al. 2024, arXiv:2404.02948)
)

// Values of Spec.Bias beside "", which is PEFT's "none".
const (
	BiasNone     = "none"
	BiasLoRAOnly = "lora_only" // the biases of the targeted modules train too
	BiasAll      = "all"       // every bias of the model trains, those of norms included
)

// Spec is the part of PEFT's LoraConfig that ranksweep trains. Fields from ExcludeModules on are left out of the JSON at
// their default, so that a trial that does not use them keeps its identity.
type Spec struct {
	Rank          int     `json:"r"`
	Alpha         float64 `json:"lora_alpha"` // resolved: "2r" has become a number
	Dropout       float64 `json:"lora_dropout"`
	TargetModules Targets `json:"target_modules"`
	UseRSLoRA     bool    `json:"use_rslora"`
	Init          string  `json:"init"`
	// InitAdapter is a PEFT adapter folder to start from; its content's SHA-256 is beside it once the inputs are read.
	InitAdapter       string `json:"init_adapter,omitempty"`
	InitAdapterSHA256 string `json:"init_adapter_sha256,omitempty"`

	ExcludeModules    Targets  `json:"exclude_modules,omitzero"`
	LayersToTransform []int    `json:"layers_to_transform,omitempty"` // layer numbers; only with a list of targets
	LayersPattern     []string `json:"layers_pattern,omitempty"`      // what comes before the layer's number
	// RankPattern and AlphaPattern give modules a rank or alpha of their own, whatever the ladder's rank is.
	RankPattern  Patterns `json:"rank_pattern,omitempty"`
	AlphaPattern Patterns `json:"alpha_pattern,omitempty"`
	UseDoRA      bool     `json:"use_dora,omitempty"`
	Bias         string   `json:"bias,omitempty"`
	// ModulesToSave train in full: every module whose name ends so, with all that lies below it.
	ModulesToSave []string `json:"modules_to_save,omitempty"`
	// LoRAPlusLRRatio is LoRA+'s (Hayou et al. 2024, arXiv:2402.12354): B learns at ratio times the learning rate; 0 means off. LoRA on
	// embeddings then learns at LoRAPlusLREmbedding instead.
	LoRAPlusLRRatio     float64 `json:"loraplus_lr_ratio,omitempty"`
	LoRAPlusLREmbedding float64 `json:"loraplus_lr_embedding,omitempty"`
	// Full trains the targets' weights themselves, without an adapter: see Whole.
	Full bool `json:"full,omitempty"`
}

// Scaling returns the factor on B·A·x: alpha/r, or alpha/sqrt(r) for rsLoRA (Kalajdzievski 2023, arXiv:2312.03732).
func (l Spec) Scaling() float64 { return l.scaling(l.Rank, l.Alpha) }

// RankOf returns a module's rank: rank_pattern's, else the trial's.
func (l Spec) RankOf(module string) int {
	if v, ok := l.RankPattern.Value(module); ok {
		return int(v)
	}
	return l.Rank
}

// ScalingOf is Scaling with the module's own rank and alpha.
func (l Spec) ScalingOf(module string) float64 {
	alpha := l.Alpha
	if v, ok := l.AlphaPattern.Value(module); ok {
		alpha = v
	}
	return l.scaling(l.RankOf(module), alpha)
}

func (l Spec) scaling(rank int, alpha float64) float64 {
	if l.UseRSLoRA {
		return alpha / math.Sqrt(float64(rank))
	}
	return alpha / float64(rank)
}

// Settings lists what is not at its default of the fields from ExcludeModules on, use_rslora and the initialisation, for people: each a
// name and a value.
func (l Spec) Settings() [][]string {
	var all [][]string
	add := func(name, value string) {
		if value != "" && value != "[]" && value != "false" && value != "0" {
			all = append(all, []string{name, value})
		}
	}
	if l.Init != InitKaiming {
		add("init", l.Init)
	}
	add("use_rslora", strconv.FormatBool(l.UseRSLoRA))
	add("use_dora", strconv.FormatBool(l.UseDoRA))
	add("exclude_modules", l.ExcludeModules.String())
	if len(l.LayersToTransform) > 0 {
		add("layers_to_transform", JoinInts(l.LayersToTransform))
	}
	add("layers_pattern", Targets{List: l.LayersPattern}.String())
	add("rank_pattern", l.RankPattern.String())
	add("alpha_pattern", l.AlphaPattern.String())
	add("bias", l.Bias)
	add("modules_to_save", Targets{List: l.ModulesToSave}.String())
	add("loraplus_lr_ratio", FormatNumber(l.LoRAPlusLRRatio))
	add("loraplus_lr_embedding", FormatNumber(l.LoRAPlusLREmbedding))
	add("init_adapter", l.InitAdapter)
	add("full", strconv.FormatBool(l.Full))
	return all
}

// Validate reports every setting that is impossible whatever the model, in the words of a grid file and of PEFT.
func (l Spec) Validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if l.TargetModules.Pattern != "" && (len(l.LayersToTransform) > 0 || len(l.LayersPattern) > 0) {
		fail("layers_to_transform and layers_pattern need target_modules as a list of names, not %s", l.TargetModules)
	}
	if len(l.LayersPattern) > 0 && len(l.LayersToTransform) == 0 {
		fail("layers_pattern says where layer numbers stand; write layers_to_transform too")
	}
	for _, layer := range l.LayersToTransform {
		if layer < 0 {
			fail("layers_to_transform: layer %d: layers count from 0", layer)
		}
	}
	for _, p := range l.LayersPattern {
		errs = append(errs, CheckPattern("layers_pattern", p))
	}
	for _, p := range l.ModulesToSave {
		errs = append(errs, CheckPattern("modules_to_save", p))
	}
	errs = append(errs, l.checkFull(), l.RankPattern.check("rank_pattern", maxRank), l.AlphaPattern.check("alpha_pattern", math.MaxFloat64))
	for _, p := range l.RankPattern {
		if p.Value != math.Trunc(p.Value) {
			fail("rank_pattern: %s: rank %g is not a whole number", p.Key, p.Value)
		}
	}
	switch l.Bias {
	case "", BiasLoRAOnly, BiasAll:
	default:
		fail("bias %q: want none, lora_only or all", l.Bias)
	}
	if l.Init == InitPiSSA && l.UseRSLoRA && (len(l.RankPattern) > 0 || len(l.AlphaPattern) > 0) {
		fail("init pissa with use_rslora and patterns cannot be stored as an adapter for the unchanged base (PEFT refuses it too); leave one out")
	}
	if l.Init == InitPiSSA && l.InitAdapter != "" {
		fail("init pissa and init_adapter are two different starts; remove one")
	}
	if l.LoRAPlusLREmbedding != 0 && l.LoRAPlusLRRatio == 0 {
		fail("loraplus_lr_embedding belongs to LoRA+; write loraplus_lr_ratio too")
	}
	return errors.Join(errs...)
}
