package trainer_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/weights/weightstest"
)

// copyModel copies the files of a model folder, changed or left out as edit says (nil leaves out).
func copyModel(t *testing.T, from string, edit map[string]func([]byte) []byte) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"config.json", "model.safetensors"} {
		b, err := os.ReadFile(filepath.Join(from, name))
		must(t, err)
		if change, ok := edit[name]; ok {
			if b = change(b); b == nil {
				continue
			}
		}
		must(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	return dir
}

func TestInspectFolder(t *testing.T) {
	t.Parallel()
	info := tinyInfo(t)
	if !filepath.IsAbs(info.Path) || len(info.Fingerprint) != 64 || info.Architecture != "gpt2" || info.VocabSize != 512 ||
		info.MaxPositions != 128 {
		t.Errorf("Inspect = %+v", info)
	}
	if info.Params != 145152-4096 { // PEFT counts the adapter's 4,096 too: golden case gpt2_c_attn_r8
		t.Errorf("Params = %d, want 141056", info.Params)
	}
	if len(info.Modules) != 11 || info.Modules[2] != (lora.Module{Name: "transformer.h.0.attn.c_attn", In: 64, Out: 192, Conv1D: true}) {
		t.Errorf("Modules = %v", info.Modules)
	}
	moved, err := trainer.Inspect(t.Context(), copyModel(t, tinyModel, nil), trainer.InspectOptions{})
	must(t, err)
	if moved.Fingerprint != info.Fingerprint {
		t.Error("the fingerprint depends on where the model is")
	}
	other, err := trainer.Inspect(t.Context(), tinyModel+"/noprefix", trainer.InspectOptions{})
	must(t, err)
	if other.Fingerprint == info.Fingerprint {
		t.Error("two models have one fingerprint")
	}
}

func TestCheckText(t *testing.T) {
	t.Parallel()
	text := trial.DataSpec{Train: []string{"builtin:go-doc"}}
	err := trainer.CheckText(t.Context(), tinyInfo(t), text)
	if !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), "cannot read builtin:go-doc: ") {
		t.Errorf("text for a model without a tokenizer: %v", err)
	}
	ids := filepath.Join(t.TempDir(), "ids.jsonl")
	must(t, os.WriteFile(ids, []byte(`{"input_ids": [1, 2]}`), 0o600))
	must(t, trainer.CheckText(t.Context(), tinyInfo(t), trial.DataSpec{Train: []string{ids}}))
	gopher, err := trainer.Inspect(t.Context(), "builtin:gopher", trainer.InspectOptions{})
	must(t, err)
	must(t, trainer.CheckText(t.Context(), gopher, text))
}

func TestInspectBuiltin(t *testing.T) {
	t.Parallel()
	info, err := trainer.Inspect(t.Context(), "builtin:gopher", trainer.InspectOptions{})
	must(t, err)
	if info.Path != "" || info.VocabSize != 2048 || info.MaxPositions != 128 || info.Params < 1_000_000 || info.Fingerprint == "" {
		t.Errorf("Inspect = %+v", info)
	}
}

func TestInspectWithoutWeights(t *testing.T) {
	t.Parallel()
	dir := copyModel(t, tinyModel, map[string]func([]byte) []byte{"model.safetensors": func([]byte) []byte { return nil }})
	info, err := trainer.Inspect(t.Context(), dir, trainer.InspectOptions{WithoutWeights: true})
	must(t, err)
	if info.VocabSize != 512 || info.Fingerprint == "" {
		t.Errorf("Inspect = %+v", info)
	}
}

const tinyGGUF = "model/testdata/tiny-llama/gguf"

// TestInspectGGUF: a GGUF file is a model by itself, and so is a folder that holds nothing else of a model.
func TestInspectGGUF(t *testing.T) {
	t.Parallel()
	got, err := trainer.Inspect(t.Context(), tinyGGUF+"/model.gguf", trainer.InspectOptions{})
	must(t, err)
	if got.Architecture != "llama" || got.Params != 106816 || got.VocabSize != 512 || got.MaxPositions != 256 || len(got.Modules) != 16 {
		t.Errorf("Inspect = %+v", got)
	}
	files, err := trainer.Files(got)
	must(t, err)
	if names, err := fs.Glob(files, "*"); err != nil || len(names) != 1 || names[0] != "model.gguf" {
		t.Errorf("Files shows %v, %v, want model.gguf alone", names, err)
	}
	folder, err := trainer.Inspect(t.Context(), tinyGGUF, trainer.InspectOptions{})
	must(t, err)
	renamed := filepath.Join(t.TempDir(), "other.gguf")
	text, err := os.ReadFile(tinyGGUF + "/model.gguf")
	must(t, err)
	must(t, os.WriteFile(renamed, text, 0o600))
	moved, err := trainer.Inspect(t.Context(), renamed, trainer.InspectOptions{})
	must(t, err)
	if folder.Fingerprint != got.Fingerprint || moved.Fingerprint != got.Fingerprint {
		t.Error("the fingerprint depends on how the file is named")
	}
	// Without weights, they are not even looked at.
	must(t, os.WriteFile(renamed, append(text[:len(text)-4], 9, 9, 9, 9), 0o600))
	config, err := trainer.Inspect(t.Context(), tinyGGUF, trainer.InspectOptions{WithoutWeights: true})
	must(t, err)
	changed, err := trainer.Inspect(t.Context(), renamed, trainer.InspectOptions{WithoutWeights: true})
	must(t, err)
	if config.Fingerprint != changed.Fingerprint || config.Fingerprint == got.Fingerprint {
		t.Error("the fingerprint without weights covers weights")
	}
}

// TestInspectSplitGGUF: any part of a split model, and their folder, are the same model as in one file.
func TestInspectSplitGGUF(t *testing.T) {
	t.Parallel()
	const folder = tinyGGUF + "-split"
	whole, err := trainer.Inspect(t.Context(), tinyGGUF, trainer.InspectOptions{})
	must(t, err)
	var got []trial.ModelInfo
	for _, ref := range []string{folder, folder + "/model-00001-of-00003.gguf", folder + "/model-00003-of-00003.gguf"} {
		m, err := trainer.Inspect(t.Context(), ref, trainer.InspectOptions{})
		must(t, err)
		got = append(got, m)
		if diff := cmp.Diff(whole.Tensors, m.Tensors); diff != "" || m.Params != whole.Params || m.Fingerprint != got[0].Fingerprint {
			t.Errorf("%s: %d parameters, fingerprint %s; tensors (-want +got): %s", ref, m.Params, m.Fingerprint, diff)
		}
		bare, err := trainer.Inspect(t.Context(), ref, trainer.InspectOptions{WithoutWeights: true})
		must(t, err)
		if bare.Fingerprint == m.Fingerprint {
			t.Errorf("%s: the fingerprint without weights covers weights", ref)
		}
	}
	part := filepath.Join(t.TempDir(), "model-00002-of-00003.gguf")
	text, err := os.ReadFile(folder + "/model-00002-of-00003.gguf")
	must(t, err)
	must(t, os.WriteFile(part, text, 0o600))
	for _, ref := range []string{part, filepath.Dir(part)} {
		_, err = trainer.Inspect(t.Context(), ref, trainer.InspectOptions{})
		if !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), "model-00001-of-00003.gguf is missing, which is part 1 of 3") {
			t.Errorf("Inspect(%s) = %v, want the missing part", ref, err)
		}
	}
}

// TestInspectGGUFSettings: what does not fit together in a GGUF file is not said of a config.json.
func TestInspectGGUFSettings(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "odd.gguf")
	must(t, os.WriteFile(name, weightstest.WriteGGUF(t, map[string]any{
		"general.architecture": "llama", "llama.block_count": uint32(1), "llama.context_length": uint32(8), "llama.embedding_length": uint32(8),
		"llama.feed_forward_length": uint32(8), "llama.attention.head_count": uint32(4), "llama.attention.head_count_kv": uint32(3),
	}), 0o600))
	_, err := trainer.Inspect(t.Context(), name, trainer.InspectOptions{})
	if !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), "the settings in odd.gguf: vocab_size is 0") {
		t.Errorf("Inspect = %v, want an input error about odd.gguf", err)
	}
}

func TestInspectRefuses(t *testing.T) {
	t.Parallel()
	replace := func(old, by string) func([]byte) []byte {
		return func(b []byte) []byte { return []byte(strings.Replace(string(b), old, by, 1)) }
	}
	gone := func([]byte) []byte { return nil }
	ggufs := t.TempDir()
	for _, name := range []string{"a.gguf", "b.gguf"} {
		must(t, os.WriteFile(filepath.Join(ggufs, name), []byte("GGML"), 0o600))
	}
	tests := map[string]struct {
		ref  string
		edit map[string]func([]byte) []byte
		want string
	}{
		"no such folder":   {ref: "/nowhere/at/all", want: "no such model: /nowhere/at/all"},
		"no such name":     {ref: "gpt2", want: "no such model: gpt2"},
		"relative":         {ref: "./models", want: "no such model: ./models"},
		"no such built-in": {ref: "builtin:nothing", want: `no built-in model "nothing"`},
		"no such GGUF":     {ref: "models/nothing.gguf", want: "no such model: models/nothing.gguf"},
		"two GGUF files":   {ref: ggufs, want: "2 GGUF files (a.gguf, b.gguf); name the one to use"},
		"no GGUF":          {ref: filepath.Join(ggufs, "a.gguf"), want: "not a GGUF file"},
		"a file":           {ref: tinyModel + "/config.json", want: "is a file; name a .gguf file"},
		"no config":        {edit: map[string]func([]byte) []byte{"config.json": gone}, want: "it has no config.json"},
		"config not JSON":  {edit: map[string]func([]byte) []byte{"config.json": replace("{", "[")}, want: "config.json"},
		"another model":    {edit: map[string]func([]byte) []byte{"config.json": replace(`"gpt2"`, `"mamba"`)}, want: "mamba"},
		"no weights":       {edit: map[string]func([]byte) []byte{"model.safetensors": gone}, want: "neither model.safetensors nor"},
		"truncated weights": {
			edit: map[string]func([]byte) []byte{"model.safetensors": func(b []byte) []byte { return b[:len(b)-1000] }},
			want: "truncated",
		},
		"another vocabulary": {
			edit: map[string]func([]byte) []byte{"config.json": replace(`"vocab_size": 512`, `"vocab_size": 513`)},
			want: "transformer.wte.weight has shape [512 64], not [513 64]",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ref := tc.ref
			if ref == "" {
				ref = copyModel(t, tinyModel, tc.edit)
			}
			_, err := trainer.Inspect(t.Context(), ref, trainer.InspectOptions{})
			if !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Inspect(%s) = %v, want ErrInput with %q", ref, err, tc.want)
			}
		})
	}
}

func TestInspectStops(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := trainer.Inspect(ctx, tinyModel, trainer.InspectOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Inspect = %v, want Canceled", err)
	}
}
