package model

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
)

// Config is a model's shape, as its config.json states it. Settings that only matter for training the base with dropout or
// for generation are not kept.
type Config struct {
	Architecture string // model_type: a row of architectures
	VocabSize    int    // V
	Positions    int    // longest sequence
	Embed        int    // C
	Layers       int
	Heads        int     // H
	KVHeads      int     // K, heads of keys and values: H, or a divisor of it (grouped-query attention)
	HeadDim      int     // D
	Inner        int     // width of the MLP
	Activation   string  // a row of activations
	Epsilon      float64 // of the norms
	TieHead      bool    // the output head is the token embedding

	// GPT-2: ScaleScores divides attention scores by sqrt(D); ScaleByLayer also by the layer's number, from 1.
	ScaleScores  bool
	ScaleByLayer bool

	// Llama family.
	Rope       Rope
	QKVBias    bool   // q, k and v have biases
	OutputBias bool   // so has o
	MLPBias    bool   // and gate, up and down
	QKNorm     bool   // q and k are normalised per head before they are rotated
	Window     int    // a token sees itself and the Window-1 tokens before it; 0 means all
	Windowed   []bool // by layer: has it the window; nil means that all have

	// Of the family's later members; zero means nothing of the kind.
	WideQKNorm    bool    // q and k are normalised over all heads
	LocalRope     Rope    // of the layers with a window, where it is not Rope
	NoRope        []bool  // by layer: positions turn nothing
	EmbedScale    float64 // times the embedded tokens
	ResidualScale float64 // times what attention and MLP add
	ScoreScale    float64 // times the attention scores, instead of 1/sqrt(D)
	ScoreCap      float64 // attention scores are bent into ± this
	LogitScale    float64 // times the logits
	LogitCap      float64 // which are then bent into ± this

	// GPT-NeoX.
	Parallel bool // the MLP reads what attention reads, not its sum with what attention made

	// OPT.
	TokenWidth  int  // width of token embedding and head where it is another than Embed; else 0
	NormAfter   bool // norms follow the residual sums instead of preceding attention and MLP
	NoFinalNorm bool
}

// ParseConfig reads a config.json. What is absent has transformers' default; what this package does not compute is an error
// that says so.
func ParseConfig(text []byte) (Config, error) {
	var f struct {
		ModelType string `json:"model_type"`
	}
	if err := json.Unmarshal(text, &f); err != nil {
		return Config{}, fmt.Errorf("config.json: %w", err)
	}
	for _, err := range []error{checkKind(f.ModelType, text), checkArchitecture(f.ModelType)} {
		if err != nil {
			return Config{}, fmt.Errorf("config.json: %w", err)
		}
	}
	c, err := architectures()[f.ModelType].parse(text)
	if err == nil {
		c.Architecture = f.ModelType
		c.Positions = c.trained()
		err = c.Validate()
	}
	if err != nil {
		return Config{}, fmt.Errorf("config.json: %w", err)
	}
	return c, nil
}

// trained returns how long a sequence may be: as long as config.json says, but for longrope no longer than it turns as at first.
func (c Config) trained() int {
	n := c.Positions
	for _, r := range []Rope{c.Rope, c.LocalRope} {
		if r.Type == ropeLong {
			n = min(n, int(r.Original))
		}
	}
	return n
}

// Beyond says, after a number of positions, why a model cannot read longer texts where that is for its rope_type; else it is empty.
func (c Config) Beyond() string {
	for _, r := range []Rope{c.Rope, c.LocalRope} {
		if r.Type == ropeDynamic || r.Type == ropeLong {
			return fmt.Sprintf(", beyond which its rope_type %s turns positions in another way, which is not supported", r.Type)
		}
	}
	return ""
}

// maxLayers is several times the depth of the deepest published models: each layer has names and shapes, whatever its file holds.
const maxLayers = 1 << 12

// maxSize bounds every dimension. The largest vocabularies have a few hundred thousand entries; this keeps a config.json from
// asking for more memory than its weights file could fill.
const maxSize = 1 << 24

// Validate reports the first impossible setting, in the words of config.json.
func (c Config) Validate() error {
	if err := checkArchitecture(c.Architecture); err != nil {
		return err
	}
	for _, d := range []struct {
		name    string
		n, most int
	}{
		{"vocab_size", c.VocabSize, maxSize},
		{"n_positions (max_position_embeddings)", c.Positions, maxSize},
		{"n_embd (hidden_size)", c.Embed, maxSize},
		{"n_layer (num_hidden_layers)", c.Layers, maxLayers},
		{"n_head (num_attention_heads)", c.Heads, maxSize},
		{"num_key_value_heads", c.KVHeads, maxSize},
		{"head_dim", c.HeadDim, maxSize},
		{"n_inner (intermediate_size)", c.Inner, maxSize},
		{"word_embed_proj_dim", cmp.Or(c.TokenWidth, c.Embed), maxSize},
	} {
		if d.n <= 0 || d.n > d.most {
			return fmt.Errorf("%s is %d, want a positive number up to %d", d.name, d.n, d.most)
		}
	}
	if c.Heads%c.KVHeads != 0 {
		return fmt.Errorf("num_attention_heads %d is not a multiple of num_key_value_heads %d", c.Heads, c.KVHeads)
	}
	if c.Epsilon <= 0 {
		return fmt.Errorf("layer_norm_epsilon (rms_norm_eps) is %g, want a positive number", c.Epsilon)
	}
	if !slices.Contains(activations(), c.Activation) {
		return fmt.Errorf("activation_function (hidden_act) %q is not supported, want one of %v", c.Activation, activations())
	}
	if c.Window < 0 {
		return fmt.Errorf("sliding_window is %d, want a positive number or null", c.Window)
	}
	if c.Windowed != nil && len(c.Windowed) != c.Layers {
		return fmt.Errorf("layer_types has %d entries for %d layers", len(c.Windowed), c.Layers)
	}
	return nil
}

// Params counts the parameters; a tied head counts once.
func (c Config) Params() int64 {
	var n int64
	for _, t := range c.Tensors() {
		n += int64(size(t.Shape))
	}
	return n
}

// or returns what a setting says, or its standard where the file leaves it out or says null.
func or[T any](p *T, standard T) T {
	if p == nil {
		return standard
	}
	return *p
}

// saysNull reports whether a config.json says null for a key, which differs from leaving it out where that means a standard.
func saysNull(text []byte, key string) bool {
	var all map[string]json.RawMessage
	return json.Unmarshal(text, &all) == nil && string(all[key]) == "null"
}

func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}
