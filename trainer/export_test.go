package trainer_test

import (
	"encoding/json"
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/backend"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// TestExportMergedGolden merges adapters that PEFT trained, and scores the merged folder without an adapter: PEFT's own
// validation loss, and that of base and adapter. The last case has an output head of its own beside a tied one's embedding.
func TestExportMergedGolden(t *testing.T) {
	t.Parallel()
	for name, base := range map[string]string{
		"gpt2_attn_mlp_r4":                      "tiny-gpt2",
		"gpt2_bias_lora_only":                   "tiny-gpt2",
		"llama_all_linear_r8_lr2e-2_linear":     "tiny-llama",
		"llama_dora_r4":                         "tiny-llama",
		"qwen2_qkv_r8":                          "tiny-qwen2",
		"llama3_untied_modules_to_save_lm_head": "tiny-llama3",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := resolve(t, backend.PlatformGo)
			m, err := trainer.Inspect(t.Context(), filepath.Join("model/testdata", base), trainer.InspectOptions{})
			must(t, err)
			var trace struct {
				Seeded goldenTrace `json:"seeded_B"`
			}
			readJSON(t, filepath.Join(goldenDir, name, "trace.json"), &trace)
			val := []string{writeRows(t, t.TempDir(), "val", goldenRows)}
			score := func(m trial.ModelInfo, adapter string) float64 {
				e, err := trainer.Evaluate(t.Context(), trainer.EvaluateOptions{Model: m, Adapter: adapter, Data: val, BatchSize: 4, Backend: c})
				must(t, err)
				return e.Loss
			}
			adapter := filepath.Join(goldenDir, name, "final_seeded_B")
			o := trainer.ExportOptions{Model: m, Adapter: adapter}
			for _, dtype := range []string{"", "bfloat16"} {
				dir := t.TempDir()
				must(t, trainer.ExportMerged(t.Context(), dir, o, dtype))
				merged, err := trainer.Inspect(t.Context(), dir, trainer.InspectOptions{})
				must(t, err)
				want := trace.Seeded.Val[len(trace.Seeded.Val)-1].Loss
				got, apart := score(merged, ""), score(m, adapter)
				tolerance := 5e-5 // of golden traces
				if dtype == "bfloat16" {
					tolerance = 3e-2
				} else if math.Abs(got-apart) > 1e-5 {
					t.Errorf("the merged model's loss is %v, base and adapter apart give %v", got, apart)
				}
				if math.Abs(got-want) > tolerance {
					t.Errorf("the loss merged as %q is %v, PEFT's is %v", dtype, got, want)
				}
			}
		})
	}
}

// A tied head that is trained on its own parts from the embedding, and the configuration says so.
func TestExportMergedFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.CopyFS(dir, os.DirFS(tinyModel)))
	must(t, os.WriteFile(filepath.Join(dir, "vocab.json"), []byte("{}"), 0o600))
	m, err := trainer.Inspect(t.Context(), dir, trainer.InspectOptions{})
	must(t, err)
	o := trainer.ExportOptions{Model: m, Adapter: filepath.Join(goldenDir, "gpt2_attn_mlp_r4/final_zero_B")}
	to := t.TempDir()
	must(t, trainer.ExportMerged(t.Context(), to, o, ""))
	ours, err := os.ReadFile(filepath.Join(to, "config.json"))
	must(t, err)
	base, err := os.ReadFile(filepath.Join(dir, "config.json"))
	must(t, err)
	if strings.TrimSpace(string(ours)) != strings.TrimSpace(string(base)) {
		t.Errorf("config.json of the merged model is not the base's:\n%s", ours)
	}
	if _, err := os.Stat(filepath.Join(to, "vocab.json")); err != nil {
		t.Error(err)
	}

	must(t, os.Rename(filepath.Join(dir, "config_v4style.json"), filepath.Join(dir, "config.json")))
	m, err = trainer.Inspect(t.Context(), dir, trainer.InspectOptions{})
	must(t, err)
	o.Model = m
	must(t, trainer.ExportMerged(t.Context(), to, o, "float16"))
	var config struct {
		Torch string `json:"torch_dtype"`
		Dtype string `json:"dtype"`
	}
	readJSON(t, filepath.Join(to, "config.json"), &config)
	tensors, err := weights.ReadFile(filepath.Join(to, "model.safetensors"))
	must(t, err)
	if config.Torch != "float16" || config.Dtype != "" || len(tensors) == 0 {
		t.Errorf("a merged float16 model has %d tensors and config %+v", len(tensors), config)
	}
	if info, err := os.Stat(filepath.Join(to, "model.safetensors")); err != nil || info.Size() > 300_000 { // float32 has 567 KB
		t.Errorf("the merged float16 model has %d bytes: %v", info.Size(), err)
	}
}

// A GGUF base becomes a folder in Hugging Face's layout that computes the same.
func TestExportMergedFromGGUF(t *testing.T) {
	t.Parallel()
	c := resolve(t, backend.PlatformGo)
	m, err := trainer.Inspect(t.Context(), "model/testdata/tiny-llama/gguf/model.gguf", trainer.InspectOptions{})
	must(t, err)
	o := trainer.ExportOptions{Model: m, Adapter: filepath.Join(goldenDir, "llama_qv_r8/final_seeded_B")}
	val := []string{writeRows(t, t.TempDir(), "val", goldenRows)}
	score := func(m trial.ModelInfo, adapter string) float64 {
		e, err := trainer.Evaluate(t.Context(), trainer.EvaluateOptions{Model: m, Adapter: adapter, Data: val, BatchSize: 4, Backend: c})
		must(t, err)
		return e.Loss
	}
	to := t.TempDir()
	must(t, trainer.ExportMerged(t.Context(), to, o, "float32"))
	merged, err := trainer.Inspect(t.Context(), to, trainer.InspectOptions{})
	must(t, err)
	if got, want := score(merged, ""), score(m, o.Adapter); math.Abs(got-want) > 1e-5 {
		t.Errorf("the loss merged is %v, apart %v", got, want)
	}
	var config struct {
		Architectures []string
		Dtype         string
	}
	readJSON(t, filepath.Join(to, "config.json"), &config)
	if len(config.Architectures) != 1 || config.Architectures[0] != "LlamaForCausalLM" || config.Dtype != "float32" {
		t.Errorf("config.json = %+v, want LlamaForCausalLM in float32", config)
	}
}

// TestExportMergedNames: the merged model has the tensors' names of files, as save_pretrained wrote them.
func TestExportMergedNames(t *testing.T) {
	t.Parallel()
	const dir = "model/testdata/architectures/gpt_neox"
	m, err := trainer.Inspect(t.Context(), dir, trainer.InspectOptions{})
	must(t, err)
	var c struct {
		Peft weights.AdapterConfig `json:"peft_config"`
	}
	readJSON(t, dir+"/case.json", &c)
	golden, err := weights.ReadFile(dir + "/golden.safetensors")
	must(t, err)
	adapter := weights.Adapter{Config: weights.NewAdapterConfig(dir, c.Peft.Spec(), m.Modules[1:]), Tensors: map[string]weights.Array{}}
	for name, tensor := range golden {
		if key, ok := strings.CutPrefix(name, "final/"); ok {
			adapter.Tensors[key] = tensor
		}
	}
	from, to := t.TempDir(), t.TempDir()
	must(t, weights.WriteAdapter(from, adapter))
	must(t, trainer.ExportMerged(t.Context(), to, trainer.ExportOptions{Model: m, Adapter: from}, ""))
	base, err := weights.ReadFile(dir + "/model.safetensors")
	must(t, err)
	merged, err := weights.ReadFile(to + "/model.safetensors")
	must(t, err)
	want, got := slices.Sorted(maps.Keys(base)), slices.Sorted(maps.Keys(merged))
	if !slices.Equal(got, want) || !slices.Contains(got, "embed_out.weight") {
		t.Errorf("merged tensors %v, want %v", got, want)
	}
	info := func(dir string) int64 {
		file, err := os.Stat(dir + "/model.safetensors")
		must(t, err)
		return file.Size()
	}
	if info(to) != info(dir) {
		t.Errorf("merged file of %d bytes, the base has %d in float16", info(to), info(dir))
	}
}

func TestExportMergedRefuses(t *testing.T) {
	t.Parallel()
	m := tinyInfo(t)
	o := trainer.ExportOptions{Model: m, Adapter: filepath.Join(goldenDir, "gpt2_attn_mlp_r4/final_zero_B")}
	if err := trainer.ExportMerged(t.Context(), t.TempDir(), o, "int8"); !errors.Is(err, trial.ErrInput) {
		t.Errorf("dtype int8: %v, want ErrInput", err)
	}
	o.Model.Fingerprint = "another"
	if err := trainer.ExportMerged(t.Context(), t.TempDir(), o, ""); !errors.Is(err, trial.ErrInput) ||
		!strings.Contains(err.Error(), "without --merged") {
		t.Errorf("a changed base: %v, want what to do", err)
	}
}

// TestExportAdapterIsACopy exports an adapter that PEFT wrote: the same bytes but for the base's name.
func TestExportAdapterIsACopy(t *testing.T) {
	t.Parallel()
	from, to := filepath.Join(goldenDir, "gpt2_attn_mlp_r4/final_zero_B"), t.TempDir()
	must(t, trainer.ExportAdapter(to, trainer.ExportOptions{Model: tinyInfo(t), Adapter: from, BaseReference: "owner/<base> & more"}))
	for _, name := range []string{"adapter_model.safetensors", "adapter_config.json"} {
		theirs, err := os.ReadFile(filepath.Join(from, name))
		must(t, err)
		ours, err := os.ReadFile(filepath.Join(to, name))
		must(t, err)
		var config struct {
			Base string `json:"base_model_name_or_path"`
		}
		if name == "adapter_config.json" {
			must(t, json.Unmarshal(theirs, &config))
			theirs = []byte(strings.Replace(string(theirs), `"`+config.Base+`"`, `"owner/<base> & more"`, 1))
		}
		if string(ours) != string(theirs) {
			t.Errorf("%s is not PEFT's:\n%.500s", name, ours)
		}
	}
	damaged := t.TempDir()
	must(t, os.CopyFS(damaged, os.DirFS(from)))
	must(t, os.Truncate(filepath.Join(damaged, "adapter_model.safetensors"), 1000))
	if err := trainer.ExportAdapter(t.TempDir(), trainer.ExportOptions{Model: tinyInfo(t), Adapter: damaged}); !errors.Is(err,
		weights.ErrFormat) {
		t.Errorf("a damaged adapter: %v, want ErrFormat", err)
	}
}
