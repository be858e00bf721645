package weights_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/trainer/weights"
)

func itoa(n int) string { return strconv.Itoa(n) }

func encode(t *testing.T, tensors map[string]weights.Array) *fstest.MapFile {
	t.Helper()
	var b bytes.Buffer
	if err := weights.Encode(&b, tensors, weights.F32, nil); err != nil {
		t.Fatal(err)
	}
	return &fstest.MapFile{Data: b.Bytes()}
}

func row(values ...float32) weights.Array {
	return weights.Array{Shape: []int{len(values)}, Data: values}
}

func want() weights.Want {
	return weights.Want{
		Shapes: map[string][]int{"transformer.wte.weight": {2}, "transformer.h.0.attn.c_attn.bias": {1}},
		Prefix: "transformer.", Ignore: []string{".attn.bias", ".attn.masked_bias", "lm_head.weight"},
	}
}

func TestReadModelLayouts(t *testing.T) {
	t.Parallel()
	plain := map[string]weights.Array{"wte.weight": row(1, 2), "h.0.attn.c_attn.bias": row(3), "h.0.attn.bias": row(9, 9, 9)}
	prefixed := map[string]weights.Array{
		"transformer.wte.weight": row(1, 2), "transformer.h.0.attn.c_attn.bias": row(3),
		"transformer.h.0.attn.masked_bias": row(1), "lm_head.weight": row(1, 2),
	}
	index := `{"weight_map":{"wte.weight":"model-1.safetensors","h.0.attn.c_attn.bias":"model-2.safetensors"}}`
	tests := map[string]fstest.MapFS{
		"no prefix, with mask buffers":    {"model.safetensors": encode(t, plain)},
		"prefix, with a tied output head": {"model.safetensors": encode(t, prefixed)},
		"shards": {
			"model.safetensors.index.json": {Data: []byte(index)},
			"model-1.safetensors":          encode(t, map[string]weights.Array{"wte.weight": row(1, 2)}),
			"model-2.safetensors":          encode(t, map[string]weights.Array{"h.0.attn.c_attn.bias": row(3)}),
		},
	}
	expect := map[string]weights.Array{"transformer.wte.weight": row(1, 2), "transformer.h.0.attn.c_attn.bias": row(3)}
	for name, files := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := weights.ReadModel(files, want())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(expect, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCheckModelNamesTheProblem(t *testing.T) {
	t.Parallel()
	good := map[string]weights.Array{"wte.weight": row(1, 2), "h.0.attn.c_attn.bias": row(3)}
	with := func(name string, a weights.Array) fstest.MapFS {
		out := map[string]weights.Array{name: a}
		for k, v := range good {
			if k != name {
				out[k] = v
			}
		}
		return fstest.MapFS{"model.safetensors": encode(t, out)}
	}
	cut := encode(t, good)
	cut.Data = cut.Data[:len(cut.Data)-1]
	tests := map[string]struct {
		files fstest.MapFS
		kind  error
		want  string
	}{
		"nothing":      {fstest.MapFS{}, fs.ErrNotExist, "neither model.safetensors nor"},
		"only pickled": {fstest.MapFS{"pytorch_model.bin": {}}, fs.ErrNotExist, "save the model as safetensors"},
		"missing": {
			fstest.MapFS{"model.safetensors": encode(t, map[string]weights.Array{"wte.weight": row(1, 2)})},
			weights.ErrFormat, "transformer.h.0.attn.c_attn.bias is missing",
		},
		"unknown":   {with("h.0.mlp.gate.weight", row(1)), weights.ErrFormat, "h.0.mlp.gate.weight is not part"},
		"shape":     {with("wte.weight", row(1)), weights.ErrFormat, "wte.weight has shape [1], not [2]"},
		"twice":     {with("transformer.wte.weight", row(1, 2)), weights.ErrFormat, "transformer.wte.weight is there twice"},
		"quantised": {with("h.0.mlp.c_fc.qweight", row(1)), weights.ErrFormat, "c_fc.qweight belongs to a quantised weight, which cannot be"},
		"truncated": {fstest.MapFS{"model.safetensors": cut}, weights.ErrFormat, "truncated"},
		"shard elsewhere": {
			fstest.MapFS{"model.safetensors.index.json": {Data: []byte(`{"weight_map":{"a":"../a"}}`)}},
			weights.ErrFormat, "not a file beside it",
		},
		"shard missing": {fstest.MapFS{"model.safetensors.index.json": {Data: []byte(`{"weight_map":{"a":"b"}}`)}}, fs.ErrNotExist, "b"},
		"empty index":   {fstest.MapFS{"model.safetensors.index.json": {Data: []byte(`{}`)}}, weights.ErrFormat, "names no shard"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := weights.CheckModel(tc.files, want())
			if !errors.Is(err, tc.kind) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("CheckModel = %v, want %v with %q", err, tc.kind, tc.want)
			}
		})
	}
}

// TestReadRefusesNotFinite: one such value makes every loss NaN, and nothing later says which tensor had it.
func TestReadRefusesNotFinite(t *testing.T) {
	t.Parallel()
	tensors := func(v float64) map[string]weights.Array {
		return map[string]weights.Array{"wte.weight": row(1, float32(v)), "h.0.attn.c_attn.bias": row(3)}
	}
	none := func(string, int64) io.Writer { return nil }
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		_, err := weights.ReadModelTo(fstest.MapFS{"model.safetensors": encode(t, tensors(v))}, want(), none)
		text := fmt.Sprintf("read model.safetensors: tensor wte.weight: bad file: it holds %v", float32(v))
		if !errors.Is(err, weights.ErrFormat) || !strings.Contains(err.Error(), text) {
			t.Errorf("ReadModelTo = %v, want %q", err, text)
		}
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS("testdata/gpt2-old-config")); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, weights.AdapterWeightsFile)
		adapter, err := weights.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		key := weights.KeyB("transformer.h.1.attn.c_attn")
		adapter[key].Data[5] = float32(v)
		if err := weights.WriteFile(file, adapter, weights.F32, nil); err != nil {
			t.Fatal(err)
		}
		if _, err = weights.ReadAdapter(dir); err == nil || !strings.Contains(err.Error(), "tensor "+key+": bad file: it holds") {
			t.Errorf("ReadAdapter = %v, want the tensor named", err)
		}
	}
	// What nobody reads may hold anything: a causal mask is full of infinities.
	files := tensors(2)
	files["h.0.attn.bias"] = row(float32(math.Inf(-1)))
	ignoring := want()
	ignoring.Ignore = []string{".attn.bias"}
	if _, err := weights.ReadModelTo(fstest.MapFS{"model.safetensors": encode(t, files)}, ignoring, none); err != nil {
		t.Error(err)
	}
}

func TestBuiltinUnknown(t *testing.T) {
	t.Parallel()
	if _, err := weights.Builtin("../weights"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Builtin = %v, want ErrNotExist", err)
	}
}
