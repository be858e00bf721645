package weights

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// ggufArchitectures are the values of general.architecture that can be read, and whether q and k are in llama.cpp's order.
func ggufArchitectures() map[string]struct{ permuted bool } {
	return map[string]struct{ permuted bool }{"llama": {true}, "qwen2": {false}, "qwen3": {false}}
}

// ggufNames maps what llama.cpp calls a module (gguf-py, constants.py) to what transformers calls it in the Llama family; what
// comes after blk.N. there comes after model.layers.N. here.
func ggufNames() map[string]string {
	return map[string]string{
		"token_embd":  "model.embed_tokens",
		"output_norm": "model.norm",
		"output":      "lm_head",
		"attn_norm":   "input_layernorm",
		"attn_q":      "self_attn.q_proj",
		"attn_k":      "self_attn.k_proj",
		"attn_v":      "self_attn.v_proj",
		"attn_output": "self_attn.o_proj",
		"attn_q_norm": "self_attn.q_norm",
		"attn_k_norm": "self_attn.k_norm",
		"ffn_norm":    "post_attention_layernorm",
		"ffn_gate":    "mlp.gate_proj",
		"ffn_up":      "mlp.up_proj",
		"ffn_down":    "mlp.down_proj",
	}
}

// ropeFactors is a tensor that only says how positions are scaled.
const ropeFactors = "rope_freqs.weight"

// translate gives the tensors transformers' names, marks those whose rows are in llama.cpp's order, and takes out what is no
// weight. Of another architecture only the metadata serves; Config says so.
func (g *GGUF) translate(r io.ReaderAt) error {
	arch, ok := ggufArchitectures()[g.architecture()]
	if !ok {
		return nil
	}
	names := ggufNames()
	seen := map[string]bool{}
	for i := range g.header.Tensors {
		e := &g.header.Tensors[i]
		if e.Name == ropeFactors {
			continue
		}
		e.Name = hfName(e.Name, names)
		if seen[e.Name] {
			return fmt.Errorf("%w: tensor %q is there twice", ErrFormat, e.Name)
		}
		seen[e.Name] = true
		if !arch.permuted {
			continue
		}
		switch {
		case strings.Contains(e.Name, ".q_proj."):
			e.heads, ok = g.number("attention.head_count")
		case strings.Contains(e.Name, ".k_proj."):
			if e.heads, ok = g.number("attention.head_count_kv"); !ok {
				e.heads, ok = g.number("attention.head_count")
			}
		default:
			continue
		}
		if !ok || e.heads < 1 || len(e.Shape) == 0 || e.Shape[0]%(2*e.heads) != 0 {
			return fmt.Errorf("%w: tensor %s of shape %v is not made of %d heads", ErrFormat, e.Name, e.Shape, e.heads)
		}
	}
	return g.takeRope(r)
}

// takeRope reads rope_freqs.weight and takes it out of the tensors.
func (g *GGUF) takeRope(r io.ReaderAt) error {
	i := slices.IndexFunc(g.header.Tensors, func(e Entry) bool { return e.Name == ropeFactors })
	if i < 0 {
		return nil
	}
	read, err := g.header.read(&parts{file: r}, func(e Entry) bool { return e.Name == ropeFactors })
	if err != nil {
		return err
	}
	g.rope = read[ropeFactors].Data
	g.header.Tensors = slices.Delete(g.header.Tensors, i, i+1)
	return nil
}

// hfName translates a tensor's name; one that is unknown stays as it is, for the reader to refuse.
func hfName(name string, names map[string]string) string {
	layer, rest := "", name
	if after, ok := strings.CutPrefix(name, "blk."); ok {
		number, module, ok := strings.Cut(after, ".")
		if !ok {
			return name
		}
		layer, rest = "model.layers."+number+".", module
	}
	module, kind, ok := strings.Cut(rest, ".")
	hf, known := names[module]
	if !ok || !known || (layer == "") != (strings.HasPrefix(hf, "model.") || hf == "lm_head") {
		return name
	}
	return layer + hf + "." + kind
}

// unpermute puts the rows of a q or k projection into transformers' order. llama.cpp rotates neighbours (2i, 2i+1) of a head
// where transformers rotates halves (i, i + D/2), so its converter interleaves the halves (LlamaModel.permute).
func unpermute(data []float32, rows, heads int) {
	width, D := len(data)/rows, rows/heads
	head := make([]float32, D*width)
	for h := range heads {
		at := data[h*D*width : (h+1)*D*width]
		copy(head, at)
		for i := range D / 2 {
			copy(at[i*width:(i+1)*width], head[2*i*width:])
			copy(at[(i+D/2)*width:(i+D/2+1)*width], head[(2*i+1)*width:])
		}
	}
}

func (g *GGUF) architecture() string {
	name, _ := g.Metadata["general.architecture"].(string)
	return name
}

// number returns an integer setting of the architecture.
func (g *GGUF) number(key string) (int, bool) {
	switch v := g.Metadata[g.architecture()+"."+key].(type) {
	case uint32:
		return int(v), true
	case int32:
		return int(v), true
	case uint64:
		return int(v), v <= 1<<31
	}
	return 0, false
}
