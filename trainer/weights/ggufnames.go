package weights

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Tensors that only say how positions are scaled.
const (
	ropeFreqs = "rope_freqs.weight"
	ropeLong  = "rope_factors_long.weight"
	ropeShort = "rope_factors_short.weight"
)

func isRopeTensor(name string) bool {
	return name == ropeFreqs || name == ropeLong || name == ropeShort
}

// translate gives the tensors transformers' names, notes how their values become transformers', and takes out what is no weight. Of
// another architecture only the metadata serves; Config says so.
func (g *GGUF) translate(r io.ReaderAt) error {
	arch, ok := ggufArchitectures()[g.architecture()]
	if !ok {
		return nil
	}
	if err := g.takeRope(r); err != nil {
		return err
	}
	seen := map[string]bool{}
	for i := range g.header.Tensors {
		e := &g.header.Tensors[i]
		name, module := arch.hfName(e.Name)
		e.Name = name
		if seen[e.Name] {
			return fmt.Errorf("%w: tensor %q is there twice", ErrFormat, e.Name)
		}
		seen[e.Name] = true
		if err := g.noteUndo(arch, e, module); err != nil {
			return err
		}
	}
	return nil
}

// noteUndo notes what the converter did to a tensor, given llama.cpp's name of its module.
func (g *GGUF) noteUndo(arch ggufArchitecture, e *Entry, module string) error {
	heads, blocks := 0, 2 // rows are made of heads, and heads of so many equal blocks
	switch {
	case arch.normShift && strings.HasSuffix(module, "_norm"):
		e.undo = subtractOne
		return nil
	case arch.permuted && module == "attn_q", arch.fusedQKV && module == "attn_qkv":
		heads, _ = g.number("attention.head_count")
	case arch.permuted && module == "attn_k":
		var ok bool
		if heads, ok = g.number("attention.head_count_kv"); !ok {
			heads, _ = g.number("attention.head_count")
		}
	default:
		return nil
	}
	if arch.fusedQKV {
		blocks = 3
	}
	if heads < 1 || len(e.Shape) == 0 || e.Shape[0]%(blocks*heads) != 0 {
		return fmt.Errorf("%w: tensor %s of shape %v is not made of %d heads", ErrFormat, e.Name, e.Shape, heads)
	}
	rows := e.Shape[0]
	e.undo, e.undoBlocks = func(data []float32) { unpermute(data, rows, heads) }, func(data []byte) { unpermute(data, rows, heads) }
	if arch.fusedQKV {
		e.undo, e.undoBlocks = func(data []float32) { byHeads(data, heads) }, func(data []byte) { byHeads(data, heads) }
	}
	return nil
}

// takeRope reads the tensors that are settings and takes them out.
func (g *GGUF) takeRope(r io.ReaderAt) error {
	read, err := g.header.read(&parts{file: r}, func(e Entry) bool { return isRopeTensor(e.Name) })
	if err != nil {
		return err
	}
	g.rope = map[string][]float32{}
	for name, a := range read {
		g.rope[name] = a.Data
	}
	g.header.Tensors = slices.DeleteFunc(g.header.Tensors, func(e Entry) bool { return isRopeTensor(e.Name) })
	return nil
}

// hfName translates a tensor's name, and returns with it the module's name in llama.cpp; a name that is unknown stays as it is, for
// the reader to refuse.
func (a ggufArchitecture) hfName(name string) (hf, module string) {
	names, layer, rest := a.outer, "", name
	if after, ok := strings.CutPrefix(name, "blk."); ok {
		number, inner, ok := strings.Cut(after, ".")
		if !ok {
			return name, ""
		}
		names, layer, rest = a.inner, a.layers+number+".", inner
	}
	module, kind, ok := strings.Cut(rest, ".")
	hf, known := names[module]
	if !ok || !known {
		return name, ""
	}
	return layer + hf + "." + kind, module
}

// unpermute puts the rows of a q or k projection into transformers' order. llama.cpp rotates neighbours (2i, 2i+1) of a head
// where transformers rotates halves (i, i + D/2), so its converter interleaves the halves (LlamaModel.permute).
func unpermute[T float32 | byte](data []T, rows, heads int) {
	width, D := len(data)/rows, rows/heads
	head := make([]T, D*width)
	for h := range heads {
		at := data[h*D*width : (h+1)*D*width]
		copy(head, at)
		for i := range D / 2 {
			copy(at[i*width:(i+1)*width], head[2*i*width:])
			copy(at[(i+D/2)*width:(i+D/2+1)*width], head[(2*i+1)*width:])
		}
	}
}

// byHeads puts q, k and v of each head together, as GPT-NeoX has them, where data has all of q, then all of k, then all of v.
func byHeads[T float32 | byte](data []T, heads int) {
	apart := slices.Clone(data)
	n := len(data) / (3 * heads)
	for h := range heads {
		for part := range 3 {
			copy(data[(3*h+part)*n:], apart[(part*heads+h)*n:(part*heads+h+1)*n])
		}
	}
}

func subtractOne(data []float32) {
	for i := range data {
		data[i]--
	}
}

func (g GGUF) architecture() string {
	name, _ := g.Metadata["general.architecture"].(string)
	return name
}

// setting returns a setting of the architecture.
func (g GGUF) setting(key string) (any, bool) {
	v, ok := g.Metadata[g.architecture()+"."+key]
	return v, ok
}

// number returns an integer setting of the architecture.
func (g GGUF) number(key string) (int, bool) {
	v, _ := g.setting(key)
	return asInt(v)
}

// asInt returns an integer of the metadata, whatever its width.
func asInt(v any) (int, bool) {
	switch v := v.(type) {
	case uint8:
		return int(v), true
	case uint16:
		return int(v), true
	case uint32:
		return int(v), true
	case int32:
		return int(v), true
	case uint64:
		return int(v), v <= 1<<31
	}
	return 0, false
}
