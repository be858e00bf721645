package weights

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep"
)

// peftVersion is the release of PEFT whose adapter_config.json this package writes, key for key.
const peftVersion = "0.21.2"

// AdapterConfig is PEFT's adapter_config.json. The fields are PEFT's, in the alphabetical order in which it writes them.
type AdapterConfig struct {
	ALoRAInvocationTokens any            `json:"alora_invocation_tokens"`
	AlphaPattern          map[string]any `json:"alpha_pattern"`
	ArrowConfig           any            `json:"arrow_config"`
	AutoMapping           any            `json:"auto_mapping"`
	BaseModelNameOrPath   string         `json:"base_model_name_or_path"`
	Bias                  string         `json:"bias"`
	CordaConfig           any            `json:"corda_config"`
	EnsureWeightTying     bool           `json:"ensure_weight_tying"`
	EvaConfig             any            `json:"eva_config"`
	ExcludeModules        any            `json:"exclude_modules"`
	FanInFanOut           bool           `json:"fan_in_fan_out"` // true for GPT-2, whose Conv1D stores [in, out]
	InferenceMode         bool           `json:"inference_mode"`
	InitLoraWeights       any            `json:"init_lora_weights"` // true or "gaussian"; inert once trained
	KasaConfig            any            `json:"kasa_config"`
	LayerReplication      any            `json:"layer_replication"`
	LayersPattern         any            `json:"layers_pattern"`
	LayersToTransform     any            `json:"layers_to_transform"`
	LoftqConfig           map[string]any `json:"loftq_config"`
	LoraAlpha             float64        `json:"lora_alpha"`
	LoraBias              bool           `json:"lora_bias"`
	LoraDropout           pyFloat        `json:"lora_dropout"`
	LoraGAConfig          any            `json:"lora_ga_config"`
	MegatronConfig        any            `json:"megatron_config"`
	MegatronCore          string         `json:"megatron_core"`
	ModulesToSave         any            `json:"modules_to_save"`
	MonteCLoRAConfig      any            `json:"monteclora_config"`
	PeftType              string         `json:"peft_type"`
	PeftVersion           string         `json:"peft_version"`
	QALoRAGroupSize       int            `json:"qalora_group_size"`
	R                     int            `json:"r"`
	RankPattern           map[string]any `json:"rank_pattern"`
	Revision              any            `json:"revision"`
	TargetModules         sweep.Targets  `json:"target_modules"`
	TargetParameters      any            `json:"target_parameters"`
	TaskType              string         `json:"task_type"`
	TrainableTokenIndices any            `json:"trainable_token_indices"`
	UseBDLoRA             any            `json:"use_bdlora"`
	UseDoRA               bool           `json:"use_dora"`
	UseQALoRA             bool           `json:"use_qalora"`
	UseRSLoRA             bool           `json:"use_rslora"`
	VeLoRAConfig          any            `json:"velora_config"`
}

// NewAdapterConfig returns the configuration PEFT would write for a GPT-2 adapter with these settings.
func NewAdapterConfig(base string, l sweep.LoRASpec) AdapterConfig {
	var initial any = true
	if l.Init == "gaussian" {
		initial = l.Init
	}
	return AdapterConfig{
		AlphaPattern: map[string]any{}, BaseModelNameOrPath: base, Bias: "none", FanInFanOut: true, InferenceMode: true,
		InitLoraWeights: initial, LoftqConfig: map[string]any{}, LoraAlpha: l.Alpha, LoraDropout: pyFloat(l.Dropout),
		MegatronCore: "megatron.core", PeftType: "LORA", PeftVersion: peftVersion, QALoRAGroupSize: 16, R: l.Rank,
		RankPattern: map[string]any{}, TargetModules: l.TargetModules, TaskType: "CAUSAL_LM", UseRSLoRA: l.UseRSLoRA,
	}
}

// Scaling returns the factor on B·A·x that the adapter was trained with.
func (c AdapterConfig) Scaling() float64 {
	return sweep.LoRASpec{Rank: c.R, Alpha: c.LoraAlpha, UseRSLoRA: c.UseRSLoRA}.Scaling()
}

// parseAdapterConfig decodes an adapter_config.json and refuses what the trainer cannot compute. Keys it does not know
// are of later PEFT releases; they matter only where they are set, which the tensors then show.
func parseAdapterConfig(text []byte) (AdapterConfig, error) {
	var c AdapterConfig
	if err := json.Unmarshal(text, &c); err != nil {
		return AdapterConfig{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if c.PeftType != "LORA" {
		return AdapterConfig{}, fmt.Errorf("%w: peft_type is %q, only LORA is supported", ErrFormat, c.PeftType)
	}
	if c.R < 1 {
		return AdapterConfig{}, fmt.Errorf("%w: r is %d", ErrFormat, c.R)
	}
	unsupported := map[string]bool{
		"bias":                    c.Bias != "" && c.Bias != "none",
		"use_dora":                c.UseDoRA,
		"use_qalora":              c.UseQALoRA,
		"use_bdlora":              set(c.UseBDLoRA),
		"lora_bias":               c.LoraBias,
		"rank_pattern":            len(c.RankPattern) > 0,
		"alpha_pattern":           len(c.AlphaPattern) > 0,
		"modules_to_save":         set(c.ModulesToSave),
		"target_parameters":       set(c.TargetParameters),
		"trainable_token_indices": set(c.TrainableTokenIndices),
		"layer_replication":       set(c.LayerReplication),
		"alora_invocation_tokens": set(c.ALoRAInvocationTokens),
		"megatron_config":         set(c.MegatronConfig),
		"velora_config":           set(c.VeLoRAConfig),
		"monteclora_config":       set(c.MonteCLoRAConfig),
		"kasa_config":             set(c.KasaConfig),
		"arrow_config":            set(c.ArrowConfig),
	}
	for _, key := range slices.Sorted(maps.Keys(unsupported)) {
		if unsupported[key] {
			return AdapterConfig{}, fmt.Errorf("%w: it sets %s, which is not supported", ErrFormat, key)
		}
	}
	return c, nil
}

// set reports whether an optional setting says anything: neither null, false, nor empty.
func set(value any) bool {
	switch v := value.(type) {
	case nil:
		return false
	case bool:
		return v
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return true
}

// writeText writes JSON text as PEFT does: without a newline at its end.
func writeText(path string, text []byte) error {
	return sweep.WriteAtomic(path, func(w io.Writer) error {
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
