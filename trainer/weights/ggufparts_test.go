package weights_test

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// splitLlama is a little Llama in two files, as gguf-py's writer cuts it: only the first has the settings.
func splitLlama() fstest.MapFS {
	q := ggufTensor{name: "blk.0.attn_q.weight", dims: []uint64{1, 8}, data: floats(0, 1, 2, 3, 4, 5, 6, 7)}
	freqs := ggufTensor{name: "rope_freqs.weight", dims: []uint64{2}, data: floats(1, 8)}
	settings := append(llamaPairs("llama.rope.freq_base", 6, float32(1e8)), splitPairs(0, 2, 3)...)
	return fstest.MapFS{
		"m-00001-of-00002.gguf": {Data: ggufFile{pairs: settings, tensors: []ggufTensor{embedding()}}.bytes()},
		"m-00002-of-00002.gguf": {Data: ggufFile{
			pairs:   append([]any{"general.architecture", 8, ggufText("llama")}, splitPairs(1, 2, 3)...),
			tensors: []ggufTensor{q, freqs},
		}.bytes()},
		"README.md": {},
	}
}

func splitPairs(number, count uint16, tensors int32) []any {
	return []any{"split.no", 2, number, "split.count", 2, count, "split.tensors.count", 5, tensors}
}

// TestGGUFParts: any part of a split model stands for all of it.
func TestGGUFParts(t *testing.T) {
	t.Parallel()
	files := splitLlama()
	first := "m-00001-of-00002.gguf"
	if got, err := weights.GGUFName(files); got != first || err != nil {
		t.Errorf("GGUFName = %q, %v", got, err)
	}
	names, err := weights.ModelFiles(files)
	if want := []string{first, "m-00002-of-00002.gguf"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("ModelFiles = %v, %v, want %v", names, err, want)
	}
	for _, name := range names {
		if got := weights.GGUFParts(name); !slices.Equal(got, names) {
			t.Errorf("GGUFParts(%s) = %v", name, got)
		}
		g, err := weights.ReadGGUF(files, name)
		if err != nil {
			t.Fatal(err)
		}
		config, err := g.Config()
		if err != nil || !strings.Contains(string(config), `"vocab_size":3`) || !strings.Contains(string(config), `"llama3"`) {
			t.Errorf("%s: Config = %s, %v", name, config, err)
		}
	}
	got, err := weights.ReadModel(files, weights.Want{Prefix: "model.", Shapes: map[string][]int{
		"model.embed_tokens.weight": {3, 8}, "model.layers.0.self_attn.q_proj.weight": {8, 1},
	}})
	if err != nil {
		t.Fatal(err)
	}
	q := got["model.layers.0.self_attn.q_proj.weight"].Data
	if diff := cmp.Diff([]float32{0, 2, 1, 3, 4, 6, 5, 7}, q); diff != "" || len(got) != 2 {
		t.Errorf("%d tensors, q_proj (-want +got): %s", len(got), diff)
	}
}

func TestGGUFPartsRefused(t *testing.T) {
	t.Parallel()
	first, second := "m-00001-of-00002.gguf", "m-00002-of-00002.gguf"
	tests := map[string]struct {
		change func(fstest.MapFS)
		want   string
	}{
		"second missing": {func(m fstest.MapFS) { delete(m, second) }, second + " is missing, which is part 2 of 2"},
		"first missing":  {func(m fstest.MapFS) { delete(m, first) }, first + " is missing, which is part 1 of 2"},
		"swapped":        {func(m fstest.MapFS) { m[first], m[second] = m[second], m[first] }, "its name says part 1 of 2, its metadata"},
		"another model": {func(m fstest.MapFS) {
			m[second] = &fstest.MapFile{Data: ggufFile{pairs: splitPairs(1, 2, 3)}.bytes()}
		}, "hold 1 tensors, split.tensors.count says 3"},
		"not a part": {func(m fstest.MapFS) { m[second] = &fstest.MapFile{Data: ggufFile{}.bytes()} }, "its name says part 2 of 2, its metadata"},
		"renamed": {func(m fstest.MapFS) {
			m["a.gguf"] = m[second]
			delete(m, first)
			delete(m, second)
		}, "read a.gguf: invalid input: it is part 2 of 2, but its name does not say so"},
		"two models": {func(m fstest.MapFS) { m["a.gguf"] = m[first] }, "2 GGUF files (a.gguf, " + first + ")"},
		"a pointer": {func(m fstest.MapFS) {
			m[second] = &fstest.MapFile{Data: []byte("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n")}
		}, second + " is a Git LFS pointer, not the file of 12 B"},
	}
	for name, tc := range tests {
		files := splitLlama()
		tc.change(files)
		model, err := weights.GGUFName(files)
		if err == nil {
			_, err = weights.ReadGGUF(files, model)
		}
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
		if name == "two models" {
			continue
		}
		if err := weights.CheckModel(files, weights.Want{}); err == nil || name != "another model" && !errors.Is(err, trial.ErrInput) {
			t.Errorf("%s: CheckModel = %v, want an input error", name, err)
		}
	}
}

// TestGGUFSplitByGGUFPy: a Llama of two layers that gguf-py's own writer cut in two, each part named.
func TestGGUFSplitByGGUFPy(t *testing.T) {
	t.Parallel()
	files := os.DirFS("testdata/gguf_split")
	whole, err := weights.Read(os.DirFS("testdata/gguf_archs"), "granite.gguf")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]weights.Array{}
	for _, part := range weights.GGUFParts("granite-00002-of-00003.gguf") {
		tensors, err := weights.Read(files, part)
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(got, tensors)
	}
	if diff := cmp.Diff(whole, got); diff != "" {
		t.Errorf("other tensors than those of the whole file: %s", diff)
	}
}

// TestGGUFDoesNotSpeakOfConfigJSON: what does not fit is said to fit the file's own metadata, for there is no config.json.
func TestGGUFDoesNotSpeakOfConfigJSON(t *testing.T) {
	t.Parallel()
	file := ggufFile{pairs: llamaPairs(), tensors: []ggufTensor{embedding()}}
	err := weights.CheckModel(file.files(), weights.Want{Shapes: map[string][]int{"x": {1}}})
	if err == nil || strings.Contains(err.Error(), weights.ConfigFile) || !strings.Contains(err.Error(), "m.gguf do not fit the metadata") {
		t.Errorf("CheckModel = %v, want an error about the metadata", err)
	}
}

// FuzzGGUFParts: whatever the parts hold, reading them ends with tensors or an error that a person can fix.
func FuzzGGUFParts(f *testing.F) {
	parts := splitLlama()
	first, second := parts["m-00001-of-00002.gguf"].Data, parts["m-00002-of-00002.gguf"].Data
	f.Add("m-00001-of-00002.gguf", first, second)
	f.Add("m-00002-of-00002.gguf", first, second[:40])
	f.Add("m.gguf", second, first)
	f.Add("m-00001-of-99999.gguf", binary.LittleEndian.AppendUint32([]byte("GGUF"), 3), second)
	f.Fuzz(func(t *testing.T, name string, a, b []byte) {
		if !fs.ValidPath(name) || name == "." {
			return
		}
		files := fstest.MapFS{name: {Data: a}}
		if more := weights.GGUFParts(name); len(more) > 1 {
			files[more[0]], files[more[1]] = &fstest.MapFile{Data: a}, &fstest.MapFile{Data: b}
		}
		_, err := weights.ReadGGUF(files, name)
		if err != nil && !errors.Is(err, weights.ErrFormat) && !errors.Is(err, trial.ErrInput) {
			t.Fatalf("ReadGGUF = %v, want ErrFormat or ErrInput", err)
		}
		for _, part := range weights.GGUFParts(name)[:1] {
			if _, err := weights.Read(files, part); err != nil && !errors.Is(err, weights.ErrFormat) && !errors.Is(err, trial.ErrInput) {
				t.Fatalf("Read = %v, want ErrFormat or ErrInput", err)
			}
		}
	})
}
