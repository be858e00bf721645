package weights_test

import (
	"bytes"
	"errors"
	"io/fs"
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

func TestBuiltinUnknown(t *testing.T) {
	t.Parallel()
	if _, err := weights.Builtin("../weights"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Builtin = %v, want ErrNotExist", err)
	}
}
