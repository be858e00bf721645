package weights

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// peftVersion is the release of PEFT whose adapter_config.json this package writes, key for key.
const peftVersion = "0.21.2"

// AdapterConfig is PEFT's adapter_config.json. The fields are PEFT's, in the alphabetical order in which it writes them.
type AdapterConfig struct {
	ALoRAInvocationTokens any            `json:"alora_invocation_tokens"`
	AlphaPattern          lora.Patterns  `json:"alpha_pattern"`
	ArrowConfig           any            `json:"arrow_config"`
	AutoMapping           any            `json:"auto_mapping"`
	BaseModelNameOrPath   string         `json:"base_model_name_or_path"`
	Bias                  string         `json:"bias"`
	CordaConfig           any            `json:"corda_config"`
	EnsureWeightTying     bool           `json:"ensure_weight_tying"`
	EvaConfig             any            `json:"eva_config"`
	ExcludeModules        *lora.Targets  `json:"exclude_modules"`
	FanInFanOut           bool           `json:"fan_in_fan_out"` // a target is a Conv1D, which stores [in, out]
	InferenceMode         bool           `json:"inference_mode"`
	InitLoraWeights       any            `json:"init_lora_weights"` // true or "gaussian"; inert once trained
	KasaConfig            any            `json:"kasa_config"`
	LayerReplication      any            `json:"layer_replication"`
	LayersPattern         some[string]   `json:"layers_pattern"`
	LayersToTransform     some[int]      `json:"layers_to_transform"`
	LoftqConfig           map[string]any `json:"loftq_config"`
	LoraAlpha             float64        `json:"lora_alpha"`
	LoraBias              bool           `json:"lora_bias"`
	LoraDropout           pyFloat        `json:"lora_dropout"`
	LoraGAConfig          any            `json:"lora_ga_config"`
	MegatronConfig        any            `json:"megatron_config"`
	MegatronCore          string         `json:"megatron_core"`
	ModulesToSave         some[string]   `json:"modules_to_save"`
	MonteCLoRAConfig      any            `json:"monteclora_config"`
	PeftType              string         `json:"peft_type"`
	PeftVersion           string         `json:"peft_version"`
	QALoRAGroupSize       int            `json:"qalora_group_size"`
	R                     int            `json:"r"`
	RankPattern           lora.Patterns  `json:"rank_pattern"`
	Revision              any            `json:"revision"`
	TargetModules         lora.Targets   `json:"target_modules"`
	TargetParameters      any            `json:"target_parameters"`
	TaskType              string         `json:"task_type"`
	TrainableTokenIndices any            `json:"trainable_token_indices"`
	UseBDLoRA             any            `json:"use_bdlora"`
	UseDoRA               bool           `json:"use_dora"`
	UseQALoRA             bool           `json:"use_qalora"`
	UseRSLoRA             bool           `json:"use_rslora"`
	VeLoRAConfig          any            `json:"velora_config"`
}

// NewAdapterConfig returns the configuration PEFT would write for an adapter with these settings. An adapter that began as PiSSA
// is written as the ordinary adapter that it has become.
func NewAdapterConfig(base string, l lora.Spec, targets []lora.Module) AdapterConfig {
	c := AdapterConfig{
		AlphaPattern: l.AlphaPattern, BaseModelNameOrPath: base, Bias: cmp.Or(l.Bias, lora.BiasNone), InferenceMode: true,
		FanInFanOut:     slices.ContainsFunc(targets, func(m lora.Module) bool { return m.Conv1D }),
		InitLoraWeights: true, LayersPattern: l.LayersPattern, LayersToTransform: l.LayersToTransform, LoftqConfig: map[string]any{},
		LoraAlpha: l.Alpha, LoraDropout: pyFloat(l.Dropout), MegatronCore: "megatron.core", ModulesToSave: l.ModulesToSave, PeftType: "LORA",
		PeftVersion: peftVersion, QALoRAGroupSize: 16, R: l.Rank, RankPattern: l.RankPattern, TargetModules: l.TargetModules,
		TaskType: "CAUSAL_LM", UseDoRA: l.UseDoRA, UseRSLoRA: l.UseRSLoRA,
	}
	if l.Init == lora.InitGaussian {
		c.InitLoraWeights = l.Init
	}
	if l.ExcludeModules.Pattern != "" || len(l.ExcludeModules.List) > 0 {
		c.ExcludeModules = &l.ExcludeModules
	}
	return c
}

// Spec returns the settings in the domain's words. Init says nothing about a trained adapter.
func (c AdapterConfig) Spec() lora.Spec {
	l := lora.Spec{
		Rank: c.R, Alpha: c.LoraAlpha, Dropout: float64(c.LoraDropout), TargetModules: c.TargetModules, UseRSLoRA: c.UseRSLoRA,
		Init: lora.InitKaiming, LayersToTransform: c.LayersToTransform, LayersPattern: c.LayersPattern, RankPattern: c.RankPattern,
		AlphaPattern: c.AlphaPattern, UseDoRA: c.UseDoRA, ModulesToSave: c.ModulesToSave,
	}
	if c.Bias != lora.BiasNone {
		l.Bias = c.Bias
	}
	if c.ExcludeModules != nil {
		l.ExcludeModules = *c.ExcludeModules
	}
	return l
}

// Scaling returns the factor on B·A·x that the adapter was trained with.
func (c AdapterConfig) Scaling() float64 { return c.Spec().Scaling() }

// parseAdapterConfig decodes an adapter_config.json and refuses what the trainer cannot compute: settings of PEFT that are not
// supported, and settings it does not know, unless they say nothing.
func parseAdapterConfig(text []byte) (AdapterConfig, error) {
	if err := checkType(text); err != nil {
		return AdapterConfig{}, err
	}
	var c AdapterConfig
	var all map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(text, &c), json.Unmarshal(text, &all)); err != nil {
		return AdapterConfig{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if c.R < 1 || !(c.LoraAlpha > 0) {
		return AdapterConfig{}, fmt.Errorf("%w: r is %d and lora_alpha %g", ErrFormat, c.R, c.LoraAlpha)
	}
	if err := supported(all, c.InitLoraWeights); err != nil {
		return AdapterConfig{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	spec := c.Spec()
	spec.LayersToTransform, spec.LayersPattern = nil, nil // the file's tensors say which layers
	if err := spec.Validate(); err != nil {
		return AdapterConfig{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return c, nil
}

// checkType refuses adapters of other kinds before their settings are read as LoRA's, where one name may mean something else.
func checkType(text []byte) error {
	var c struct {
		Type *string `json:"peft_type"`
	}
	switch err := json.Unmarshal(text, &c); {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrFormat, err)
	case c.Type == nil:
		return fmt.Errorf("%w: it has no peft_type, as PEFT's adapter_config.json does", ErrFormat)
	case *c.Type != "LORA":
		return fmt.Errorf("%w: it is an adapter of the kind %s (peft_type); only LORA is supported", ErrFormat, *c.Type)
	}
	return nil
}

// supported reports the first setting that changes what the tensors mean and that is not supported. all are the file's keys.
func supported(all map[string]json.RawMessage, init any) error {
	for _, key := range slices.Sorted(maps.Keys(all)) {
		var value any
		if err := json.Unmarshal(all[key], &value); err != nil {
			return err
		}
		if use, known := settingUses()[key]; set(value) && (!known || use == refused) {
			return fmt.Errorf("it sets %s, which is not supported", key)
		}
	}
	switch init {
	case nil, true, false, "gaussian", "eva", "orthogonal", "mica": // change no base weight
		return nil
	}
	return fmt.Errorf("it sets init_lora_weights to %v, which changes the base model; save it with PEFT's "+
		"path_initial_model_for_weight_conversion, "+
		"which makes it an ordinary adapter", init)
}

// settingUse is what becomes of a key of adapter_config.json.
type settingUse int

const (
	honoured settingUse = iota + 1
	harmless            // says nothing about what a trained adapter computes
	refused             // where it is set: neither null, false, 0 nor empty
)

// settingUses says what becomes of each field of PEFT's LoraConfig. A key that is not here is refused where it is set: it is another
// release's, and may mean anything.
func settingUses() map[string]settingUse {
	return map[string]settingUse{
		"peft_type": honoured, "r": honoured, "lora_alpha": honoured, "use_rslora": honoured, "use_dora": honoured, "bias": honoured,
		"target_modules": honoured, "exclude_modules": honoured, "layers_to_transform": honoured, "layers_pattern": honoured,
		"rank_pattern": honoured, "alpha_pattern": honoured, "modules_to_save": honoured,
		"lora_dropout":        honoured, // when it is trained on
		"init_lora_weights":   honoured, // refused where it changes the base
		"ensure_weight_tying": honoured, // refused where it ties something

		"auto_mapping": harmless, "base_model_name_or_path": harmless, "inference_mode": harmless, "peft_version": harmless,
		"revision": harmless, "task_type": harmless,
		"fan_in_fan_out": harmless, // PEFT sets it by the module's class, whatever it says
		// How it began, which training has left behind:
		"eva_config": harmless, "loftq_config": harmless, "corda_config": harmless, "lora_ga_config": harmless,
		// Of settings beside them, which are refused:
		"megatron_core": harmless, "qalora_group_size": harmless,

		"alora_invocation_tokens": refused, "arrow_config": refused, "kasa_config": refused, "layer_replication": refused,
		"lora_bias": refused, "megatron_config": refused, "monteclora_config": refused, "target_parameters": refused,
		"trainable_token_indices": refused, "use_bdlora": refused, "use_qalora": refused, "velora_config": refused,
	}
}

// set reports whether an optional setting says anything: neither null, false, 0, nor empty.
func set(value any) bool {
	switch v := value.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case float64:
		return v != 0
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return true
}

// writeText writes JSON text as PEFT does: without a newline at its end.
func writeText(path string, text []byte) error {
	return trial.WriteAtomic(path, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}

// pyFloat is a number that Python holds as a float and writes with a decimal point.
type pyFloat float64

// MarshalJSON writes 0 as 0.0.
func (f pyFloat) MarshalJSON() ([]byte, error) {
	text, err := json.Marshal(float64(f))
	if err != nil || strings.ContainsAny(string(text), ".e") {
		return text, err
	}
	return append(text, ".0"...), nil
}

// some is a setting that may be absent (null), one value, or a list.
type some[T any] []T

// UnmarshalJSON reads null, a value or a list.
func (s *some[T]) UnmarshalJSON(text []byte) error {
	*s = nil
	if len(text) > 0 && text[0] != '[' && string(text) != "null" {
		var one T
		if err := json.Unmarshal(text, &one); err != nil {
			return err
		}
		*s = some[T]{one}
		return nil
	}
	return json.Unmarshal(text, (*[]T)(s))
}
