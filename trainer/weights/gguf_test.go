package weights_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// ggufFile builds a GGUF file by hand.
type ggufFile struct {
	pairs   []any // key, kind, value (as bytes or a number)
	tensors []ggufTensor
	counts  []uint64 // instead of the true ones
	version uint32
}

type ggufTensor struct {
	name   string
	dims   []uint64 // innermost first
	number uint32
	data   []byte
	offset uint64 // added to the true one
}

func ggufText(s string) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(s))), s...)
}

func ggufTexts(all ...string) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 8)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(all)))
	for _, s := range all {
		b = append(b, ggufText(s)...)
	}
	return b
}

func (g ggufFile) bytes() []byte {
	var b bytes.Buffer
	put := func(v any) { _ = binary.Write(&b, binary.LittleEndian, v) }
	b.WriteString("GGUF")
	if g.version == 0 {
		g.version = 3
	}
	put(g.version)
	if g.counts == nil {
		g.counts = []uint64{uint64(len(g.tensors)), uint64(len(g.pairs) / 3)}
	}
	put(g.counts)
	for i := 0; i < len(g.pairs); i += 3 {
		b.Write(ggufText(g.pairs[i].(string)))
		put(uint32(g.pairs[i+1].(int)))
		put(g.pairs[i+2])
	}
	offset := uint64(0)
	for _, t := range g.tensors {
		b.Write(ggufText(t.name))
		put(uint32(len(t.dims)))
		put(t.dims)
		put(t.number)
		put(offset + t.offset)
		offset += uint64(len(t.data)+31) / 32 * 32
	}
	for _, t := range g.tensors {
		b.Write(make([]byte, (32-b.Len()%32)%32))
		b.Write(t.data)
	}
	return b.Bytes()
}

func (g ggufFile) files() fstest.MapFS { return fstest.MapFS{"m.gguf": {Data: g.bytes()}} }

func floats(values ...float32) []byte {
	b := make([]byte, 4*len(values))
	_, _ = binary.Encode(b, binary.LittleEndian, values)
	return b
}

// TestGGUFBlocks compares every number format with gguf-py's dequantisation, and with blocks of a real model.
func TestGGUFBlocks(t *testing.T) {
	t.Parallel()
	var blocks map[string]struct {
		Number uint32
		Hex    string
		Values []float32
	}
	readJSON(t, "testdata/gguf_blocks.json", &blocks)
	for _, c := range readSmol(t).Checksums {
		number := map[string]uint32{"Q4_1": 3, "Q8_0": 8}[c.Type]
		if c.Hex == "" {
			continue
		}
		n := blocks[c.Type]
		n.Number, n.Hex, n.Values = number, c.Hex, c.Values
		blocks[c.Type+" of "+c.Name] = n
	}
	if len(blocks) < 16+13 {
		t.Fatalf("%d cases", len(blocks))
	}
	for name, block := range blocks {
		raw, err := hex.DecodeString(block.Hex)
		if err != nil {
			t.Fatal(err)
		}
		file := ggufFile{tensors: []ggufTensor{{name: "w", dims: []uint64{uint64(len(block.Values))}, number: block.Number, data: raw}}}
		got, err := weights.Read(file.files(), "m.gguf")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !bytes.Equal(floats(block.Values...), floats(got["w"].Data...)) { // exact: the same operations in the same order
			t.Errorf("%s: %s", name, cmp.Diff(block.Values, got["w"].Data))
		}
	}
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// smol describes SmolLM2-135M-Instruct.Q4_1.gguf.
type smol struct {
	File      string
	SHA256    string
	Tensors   int
	Checksums []struct {
		Name, Type string
		HFName     string `json:"hf_name"`
		Shape      []int  `json:"hf_shape"`
		SHA256     string // of the values as float32, in transformers' order
		Hex        string
		Values     []float32
	}
}

func readSmol(t *testing.T) smol {
	t.Helper()
	var s smol
	readJSON(t, "testdata/smollm2.json", &s)
	return s
}

// TestGGUFSmolLM2 reads the real model: every checked tensor has the values that gguf-py and transformers give it.
func TestGGUFSmolLM2(t *testing.T) {
	t.Parallel()
	golden := readSmol(t)
	dir := "../../models"
	if _, err := os.Stat(filepath.Join(dir, golden.File)); err != nil {
		t.Skipf("SKIPPED: no real model (make smollm2 fetches it): %v", err)
	}
	got, err := weights.Read(os.DirFS(dir), golden.File)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != golden.Tensors {
		t.Errorf("%d tensors, want %d", len(got), golden.Tensors)
	}
	for _, c := range golden.Checksums {
		a := got[c.HFName]
		if !slices.Equal(a.Shape, c.Shape) {
			t.Errorf("%s: shape %v, want %v", c.HFName, a.Shape, c.Shape)
		}
		if sum := sha256.Sum256(floats(a.Data...)); hex.EncodeToString(sum[:]) != c.SHA256 {
			t.Errorf("%s (%s %s): other values than the reference", c.HFName, c.Name, c.Type)
		}
	}
	metadata, err := weights.GGUFMetadata(os.DirFS(dir), golden.File)
	if err != nil {
		t.Fatal(err)
	}
	tokens, _ := metadata["tokenizer.ggml.tokens"].([]string)
	kinds, _ := metadata["tokenizer.ggml.token_type"].([]int32)
	if len(tokens) != 49152 || len(kinds) != 49152 || tokens[1] != "<|im_start|>" || metadata["tokenizer.ggml.add_bos_token"] != false {
		t.Errorf("metadata: %d tokens, %d kinds", len(tokens), len(kinds))
	}
}

// llamaPairs is the metadata of a little Llama.
func llamaPairs(more ...any) []any {
	return append([]any{
		"general.architecture", 8, ggufText("llama"),
		"llama.block_count", 4, uint32(1),
		"llama.context_length", 4, uint32(64),
		"llama.embedding_length", 4, uint32(8),
		"llama.feed_forward_length", 4, uint32(16),
		"llama.attention.head_count", 4, uint32(2),
	}, more...)
}

func embedding() ggufTensor {
	return ggufTensor{name: "token_embd.weight", dims: []uint64{8, 3}, data: make([]byte, 4*24)}
}

func TestGGUFConfig(t *testing.T) {
	t.Parallel()
	llama31 := []float32{1, 8} // for heads of 4: a wavelength of 2π is far below 8192/4, one of 2π·10000 far above 8192
	tests := map[string]struct {
		file ggufFile
		want string
	}{
		"defaults": {
			ggufFile{pairs: llamaPairs(), tensors: []ggufTensor{embedding()}},
			`{"model_type":"llama","vocab_size":3,"num_hidden_layers":1,"max_position_embeddings":64,"hidden_size":8,"intermediate_size":16,
			"num_attention_heads":2,"num_key_value_heads":2,"tie_word_embeddings":true,"attention_bias":false,"mlp_bias":false,"rms_norm_eps":1e-05,
			"rope_parameters":{"rope_theta":10000,"rope_type":"default"}}`,
		},
		"all said": {
			ggufFile{
				pairs: llamaPairs(
					"llama.attention.head_count_kv", 4, uint32(1), "llama.attention.key_length", 4, uint32(6), "llama.attention.value_length", 4,
					uint32(6),
					"llama.rope.dimension_count", 4, uint32(6), "llama.attention.layer_norm_rms_epsilon", 6, float32(1e-6), "llama.rope.freq_base",
					6, float32(5e5),
					"llama.rope.scaling.type", 8, ggufText("linear"), "llama.rope.scaling.factor", 6, float32(4),
				),
				tensors: []ggufTensor{
					embedding(),
					{name: "output.weight", dims: []uint64{8, 3}, data: make([]byte, 96)},
					{name: "blk.0.attn_q.bias", dims: []uint64{12}, data: make([]byte, 48)},
				},
			},
			`{"model_type":"llama","vocab_size":3,"num_hidden_layers":1,"max_position_embeddings":64,"hidden_size":8,"intermediate_size":16,
			"num_attention_heads":2,"num_key_value_heads":1,"head_dim":6,"tie_word_embeddings":false,"attention_bias":true,
			"mlp_bias":false,"rms_norm_eps":1e-06,
			"rope_parameters":{"rope_theta":500000,"rope_type":"linear","factor":4}}`,
		},
		"Llama 3.1's positions": {
			ggufFile{
				pairs:   llamaPairs("llama.rope.freq_base", 6, float32(1e8)),
				tensors: []ggufTensor{embedding(), {name: "rope_freqs.weight", dims: []uint64{2}, data: floats(llama31...)}},
			},
			`{"model_type":"llama","vocab_size":3,"num_hidden_layers":1,"max_position_embeddings":64,"hidden_size":8,"intermediate_size":16,
			"num_attention_heads":2,"num_key_value_heads":2,"tie_word_embeddings":true,"attention_bias":false,"mlp_bias":false,"rms_norm_eps":1e-05,
			"rope_parameters":{"rope_theta":1e+08,"rope_type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4,
			"original_max_position_embeddings":8192}}`,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, err := weights.ReadGGUF(tc.file.files(), "m.gguf")
			if err != nil {
				t.Fatal(err)
			}
			text, err := g.Config()
			if err != nil {
				t.Fatal(err)
			}
			var got, want map[string]any
			if err := errors.Join(json.Unmarshal(text, &got), json.Unmarshal([]byte(tc.want), &want)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestGGUFConfigWithoutSizes(t *testing.T) {
	t.Parallel()
	g, err := weights.ReadGGUF(ggufFile{pairs: llamaPairs()[:3]}.files(), "m.gguf")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Config(); !errors.Is(err, weights.ErrFormat) || !strings.Contains(err.Error(), "llama.block_count is <nil>") {
		t.Errorf("Config = %v, want ErrFormat with llama.block_count", err)
	}
}

// TestGGUFOrder: rows of q and k come out in transformers' order for llama and as they are for qwen2.
func TestGGUFOrder(t *testing.T) {
	t.Parallel()
	for arch, want := range map[string][]float32{
		"llama": {0, 2, 1, 3, 4, 6, 5, 7},
		"qwen2": {0, 1, 2, 3, 4, 5, 6, 7},
	} {
		file := ggufFile{
			pairs: []any{"general.architecture", 8, ggufText(arch), arch + ".attention.head_count", 4, uint32(2)},
			tensors: []ggufTensor{
				{name: "blk.0.attn_q.weight", dims: []uint64{1, 8}, data: floats(0, 1, 2, 3, 4, 5, 6, 7)},
				{name: "blk.0.attn_k.bias", dims: []uint64{8}, data: floats(0, 1, 2, 3, 4, 5, 6, 7)},
				{name: "blk.0.attn_v.weight", dims: []uint64{1, 8}, data: floats(0, 1, 2, 3, 4, 5, 6, 7)},
			},
		}
		got, err := weights.Read(file.files(), "m.gguf")
		if err != nil {
			t.Fatal(err)
		}
		expect := map[string]weights.Array{
			"model.layers.0.self_attn.q_proj.weight": {Shape: []int{8, 1}, Data: want},
			"model.layers.0.self_attn.k_proj.bias":   {Shape: []int{8}, Data: want},
			"model.layers.0.self_attn.v_proj.weight": {Shape: []int{8, 1}, Data: []float32{0, 1, 2, 3, 4, 5, 6, 7}},
		}
		if diff := cmp.Diff(expect, got); diff != "" {
			t.Errorf("%s: %s", arch, diff)
		}
	}
}

func TestGGUFMetadataTypes(t *testing.T) {
	t.Parallel()
	list := func(kind uint32, n uint64, data ...byte) []byte {
		b := binary.LittleEndian.AppendUint32(nil, kind)
		return append(binary.LittleEndian.AppendUint64(b, n), data...)
	}
	file := ggufFile{pairs: []any{
		"u8", 0, uint8(200), "i8", 1, int8(-3), "u16", 2, uint16(40000), "i16", 3, int16(-300), "u32", 4, uint32(1), "i32", 5, int32(-1),
		"f32", 6, float32(0.5), "bool", 7, uint8(1), "text", 8, ggufText("né"), "u64", 10, uint64(math.MaxUint64), "i64", 11, int64(-9),
		"f64", 12, 0.25,
		"texts", 9, ggufTexts("a", "", "c"), "i32s", 9, list(5, 1, 0xfe, 0xff, 0xff, 0xff), "f32s", 9, list(6, 1, floats(1.5)...),
		"bools", 9, list(7, 2, 0, 1),
	}}
	got, err := weights.GGUFMetadata(file.files(), "m.gguf")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"u8": uint8(200), "i8": int8(-3), "u16": uint16(40000), "i16": int16(-300), "u32": uint32(1), "i32": int32(-1),
		"f32": float32(0.5), "bool": true, "text": "né", "u64": uint64(math.MaxUint64), "i64": int64(-9), "f64": 0.25,
		"texts": []string{"a", "", "c"}, "i32s": []int32{-2}, "f32s": []float32{1.5}, "bools": []bool{false, true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestGGUFRefusesDamage(t *testing.T) {
	t.Parallel()
	one := ggufTensor{name: "w", dims: []uint64{2}, data: floats(1, 2)}
	with := func(change func(*ggufTensor)) []byte {
		w := one
		change(&w)
		return ggufFile{tensors: []ggufTensor{w}}.bytes()
	}
	whole := ggufFile{tensors: []ggufTensor{one}}.bytes()
	longList := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint32(nil, 8), 1<<40)
	nested := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint32(nil, 9), 1)
	tests := map[string]struct {
		file []byte
		want string
	}{
		"empty":           {nil, "not a GGUF file"},
		"safetensors":     {file(`{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, make([]byte, 4)), "not a GGUF file"},
		"version":         {ggufFile{version: 1}.bytes(), "GGUF version 1"},
		"big-endian":      {ggufFile{version: 3 << 24}.bytes(), "little-endian"},
		"header cut":      {whole[:30], "truncated"},
		"data cut":        {whole[:len(whole)-1], "truncated: the tensors end at"},
		"tensor count":    {ggufFile{counts: []uint64{1 << 60, 0}}.bytes(), "it claims 1152921504606846976 tensors"},
		"pair count":      {ggufFile{counts: []uint64{0, 1 << 60}}.bytes(), "settings"},
		"missing pairs":   {ggufFile{counts: []uint64{0, 60000}}.bytes(), "truncated"},
		"text length":     {ggufFile{pairs: []any{"a", 8, uint64(1 << 62)}}.bytes(), "truncated"},
		"list length":     {ggufFile{pairs: []any{"a", 9, longList}}.bytes(), "truncated"},
		"list of lists":   {ggufFile{pairs: []any{"a", 9, nested}}.bytes(), "nested"},
		"kind":            {ggufFile{pairs: []any{"a", 13, uint32(0)}}.bytes(), "unknown kind 13"},
		"key twice":       {ggufFile{pairs: []any{"a", 0, uint8(1), "a", 0, uint8(1)}}.bytes(), `"a" is there twice`},
		"alignment":       {ggufFile{pairs: []any{"general.alignment", 4, uint32(7)}}.bytes(), "general.alignment is 7"},
		"alignment zero":  {ggufFile{pairs: []any{"general.alignment", 4, uint32(0)}}.bytes(), "general.alignment is 0"},
		"axes":            {with(func(w *ggufTensor) { w.dims = make([]uint64, 5) }), "has 5 axes"},
		"shape overflows": {with(func(w *ggufTensor) { w.dims = []uint64{1 << 31, 1 << 31, 1 << 31, 4} }), "impossible shape"},
		"product":         {with(func(w *ggufTensor) { w.dims = []uint64{1<<31 - 1, 1<<31 - 1, 1 << 20} }), "impossible shape"},
		"too large":       {with(func(w *ggufTensor) { w.dims = []uint64{1 << 30} }), "truncated"},
		"offset":          {with(func(w *ggufTensor) { w.offset = math.MaxUint64 - 8 }), "impossible offset"},
		"offset beyond":   {with(func(w *ggufTensor) { w.offset = 1 << 40 }), "truncated"},
		"unaligned":       {with(func(w *ggufTensor) { w.offset = 4 }), "starts at byte 4"},
		"part of a block": {with(func(w *ggufTensor) { w.number, w.dims = 8, []uint64{16} }), "not made of Q8_0 blocks of 32"},
		"overlap": {
			ggufFile{tensors: []ggufTensor{
				{name: "a", dims: []uint64{16}, data: make([]byte, 64)},
				{name: "b", dims: []uint64{8}, data: make([]byte, 32), offset: math.MaxUint64 - 31},
			}}.bytes(), "starts at byte 32",
		},
		"heads": {
			ggufFile{pairs: llamaPairs(), tensors: []ggufTensor{{
				name: "blk.0.attn_q.weight", dims: []uint64{1, 6},
				data: make([]byte, 24),
			}}}.bytes(),
			"not made of 2 heads",
		},
		"same name": {
			ggufFile{pairs: llamaPairs(), tensors: []ggufTensor{embedding(), embedding()}}.bytes(), "embed_tokens.weight\" is there twice",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := weights.Read(fstest.MapFS{"m.gguf": {Data: tc.file}}, "m.gguf")
			if !errors.Is(err, weights.ErrFormat) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Read = %v, want ErrFormat with %q", err, tc.want)
			}
		})
	}
}

// TestGGUFRefusesFormats: a good file whose numbers cannot be read is no bad file, and the error says what to load instead.
func TestGGUFRefusesFormats(t *testing.T) {
	t.Parallel()
	for number, want := range map[uint32]string{16: "number format IQ2_XXS", 35: "number format TQ2_0", 99: "number format no. 99"} {
		w := ggufTensor{name: "w", dims: []uint64{2}, number: number, data: floats(1, 2)}
		_, err := weights.Read(ggufFile{tensors: []ggufTensor{w}}.files(), "m.gguf")
		if !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "Q4_K_M") ||
			strings.Contains(err.Error(), "bad file") {
			t.Errorf("format %d: Read = %v, want an input error with %q and what to load", number, err, want)
		}
	}
}

func TestGGUFName(t *testing.T) {
	t.Parallel()
	one := &fstest.MapFile{}
	for name, tc := range map[string]struct {
		files     fstest.MapFS
		want, err string
	}{
		"one":              {fstest.MapFS{"a.gguf": one, "README.md": one}, "a.gguf", ""},
		"none":             {fstest.MapFS{"README.md": one}, "", ""},
		"a model's folder": {fstest.MapFS{"a.gguf": one, "config.json": one}, "", ""},
		"two":              {fstest.MapFS{"a.gguf": one, "b.gguf": one}, "", "2 GGUF files (a.gguf, b.gguf)"},
	} {
		got, err := weights.GGUFName(tc.files)
		if got != tc.want || (err != nil) != (tc.err != "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%s: GGUFName = %q, %v", name, got, err)
		}
	}
}

// FuzzGGUF: whatever the bytes, reading ends with tensors that lie within the file or with ErrFormat.
func FuzzGGUF(f *testing.F) {
	f.Add(ggufFile{pairs: llamaPairs("x", 9, ggufTexts("a", "b")), tensors: []ggufTensor{embedding()}}.bytes())
	f.Add(ggufFile{pairs: llamaPairs(), tensors: []ggufTensor{{name: "rope_freqs.weight", dims: []uint64{2}, data: floats(1, 8)}}}.bytes())
	f.Add(ggufFile{tensors: []ggufTensor{{name: "w", dims: []uint64{256}, number: 14, data: make([]byte, 210)}}}.bytes())
	f.Add(ggufFile{counts: []uint64{1 << 17, 1 << 15}}.bytes())
	for _, name := range []string{"phi3-long", "gemma2", "gptneox", "granite"} {
		whole, err := os.ReadFile("testdata/gguf_archs/" + name + ".gguf")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(whole)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		files := fstest.MapFS{"m.gguf": {Data: b}}
		g, err := weights.ReadGGUF(files, "m.gguf")
		if err == nil {
			_, err = g.Config()
		}
		if err != nil && !errors.Is(err, weights.ErrFormat) && !errors.Is(err, trial.ErrInput) {
			t.Fatalf("ReadGGUF and Config = %v, want ErrFormat or ErrInput", err)
		}
		tensors, err := weights.Read(files, "m.gguf")
		if err != nil {
			if !errors.Is(err, weights.ErrFormat) && !errors.Is(err, trial.ErrInput) {
				t.Fatalf("Read = %v, want ErrFormat or ErrInput", err)
			}
			return
		}
		total := 0
		for _, a := range tensors {
			total += len(a.Data)
		}
		if total > 4*len(b) { // Q2_K holds 256 values in 84 bytes
			t.Fatalf("%d values from a file of %d bytes", total, len(b))
		}
	})
}

func TestReadGGUFMissing(t *testing.T) {
	t.Parallel()
	if _, err := weights.ReadGGUF(fstest.MapFS{}, "m.gguf"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReadGGUF = %v, want ErrNotExist", err)
	}
}
