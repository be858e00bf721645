package lora_test

import (
	"testing"

	"github.com/ranksweep/ranksweep/sweep/lora"
)

func TestModuleKindAndLayer(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		kind  string
		layer int
	}{
		"transformer.h.0.attn.c_attn":         {"attn.c_attn", 0},
		"model.layers.31.self_attn.q_proj":    {"self_attn.q_proj", 31},
		"lm_head":                             {"lm_head", -1},
		"model.layers.99999999999999999999.x": {"x", -1},
	} {
		m := lora.Module{Name: name}
		if kind, layer := m.Kind(), m.Layer(); kind != want.kind || layer != want.layer {
			t.Errorf("%s is %q of layer %d, want %q of %d", name, kind, layer, want.kind, want.layer)
		}
	}
}
