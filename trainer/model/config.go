package model

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Config is the architecture of a GPT-2 model, as its config.json states it. Settings that only matter for training the
// base with dropout or for generation are not kept.
type Config struct {
	VocabSize  int // V
	Positions  int // longest sequence
	Embed      int // C
	Layers     int
	Heads      int     // H
	Inner      int     // width of the MLP, 4C unless stated
	Activation string  // gelu_new, gelu_pytorch_tanh, gelu or relu
	Epsilon    float64 // of the layer norms
	TieHead    bool    // the output head is the token embedding
	// ScaleScores divides attention scores by sqrt(D); ScaleByLayer also by the layer's number, from 1.
	ScaleScores  bool
	ScaleByLayer bool
}

// configFile is config.json. Both spellings of transformers 4 and 5 agree on every key that GPT-2 needs.
type configFile struct {
	ModelType     string   `json:"model_type"`
	Architectures []string `json:"architectures"`
	VocabSize     *int     `json:"vocab_size"`
	Positions     *int     `json:"n_positions"`
	Embed         *int     `json:"n_embd"`
	Layers        *int     `json:"n_layer"`
	Heads         *int     `json:"n_head"`
	Inner         *int     `json:"n_inner"`
	Activation    *string  `json:"activation_function"`
	Epsilon       *float64 `json:"layer_norm_epsilon"`
	TieHead       *bool    `json:"tie_word_embeddings"`
	ScaleScores   *bool    `json:"scale_attn_weights"`
	ScaleByLayer  *bool    `json:"scale_attn_by_inverse_layer_idx"`
	CrossAttn     bool     `json:"add_cross_attention"`
}

// ParseConfig reads a config.json. What is absent has transformers' default; an architecture that this package does not
// compute is an error that says so.
func ParseConfig(b []byte) (Config, error) {
	var f configFile
	if err := json.Unmarshal(b, &f); err != nil {
		return Config{}, fmt.Errorf("config.json: %w", err)
	}
	if f.ModelType != "gpt2" {
		return Config{}, fmt.Errorf("config.json: model_type is %q; only gpt2 can be trained yet", f.ModelType)
	}
	if f.CrossAttn {
		return Config{}, fmt.Errorf("config.json: add_cross_attention is not supported")
	}
	c := Config{
		VocabSize:    or(f.VocabSize, 50257),
		Positions:    or(f.Positions, 1024),
		Embed:        or(f.Embed, 768),
		Layers:       or(f.Layers, 12),
		Heads:        or(f.Heads, 12),
		Activation:   or(f.Activation, "gelu_new"),
		Epsilon:      or(f.Epsilon, 1e-5),
		TieHead:      or(f.TieHead, true),
		ScaleScores:  or(f.ScaleScores, true),
		ScaleByLayer: or(f.ScaleByLayer, false),
	}
	c.Inner = or(f.Inner, 4*c.Embed)
	if err := c.Validate(); err != nil {
		return Config{}, fmt.Errorf("config.json: %w", err)
	}
	return c, nil
}

// Validate reports the first impossible setting.
func (c Config) Validate() error {
	for _, d := range []struct {
		name string
		n    int
	}{
		{"vocab_size", c.VocabSize},
		{"n_positions", c.Positions},
		{"n_embd", c.Embed},
		{"n_layer", c.Layers},
		{"n_head", c.Heads},
		{"n_inner", c.Inner},
	} {
		if d.n <= 0 {
			return fmt.Errorf("%s is %d, want a positive number", d.name, d.n)
		}
	}
	if c.Embed%c.Heads != 0 {
		return fmt.Errorf("n_embd %d is not a multiple of n_head %d", c.Embed, c.Heads)
	}
	if c.Epsilon <= 0 {
		return fmt.Errorf("layer_norm_epsilon is %g, want a positive number", c.Epsilon)
	}
	if !slices.Contains(activations(), c.Activation) {
		return fmt.Errorf("activation_function %q is not supported, want one of %v", c.Activation, activations())
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

func or[T any](p *T, standard T) T {
	if p == nil {
		return standard
	}
	return *p
}

func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}
