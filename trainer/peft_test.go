package trainer_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/backend"
	"github.com/ranksweep/ranksweep/trainer/model"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// logitsTolerance is ten times the worst difference of PyTorch's float32 from float64 (7e-6, |x| up to 7.5).
const logitsTolerance = 1e-4

// TestPEFTLoadsOurAdapters trains an adapter of each kind, lets PEFT itself load it, and compares logits. SWEEP_PYTHON
// names the interpreter that has peft; without it, python3.
func TestPEFTLoadsOurAdapters(t *testing.T) {
	t.Parallel()
	python := pythonWithPEFT(t)
	specs := goldenCases()
	specs["rslora_regex"] = sweep.LoRASpec{
		Rank: 4, Alpha: 3, UseRSLoRA: true, Init: "gaussian", TargetModules: sweep.Targets{Pattern: `.*\.1\.(attn\.c_attn|mlp\.c_fc)`},
	}
	var adapters []string
	for _, lora := range specs {
		spec := tinySpec()
		spec.LoRA = lora
		spec.LoRA.Dropout = 0.1
		spec.Train.LearningRate = 2e-2
		a, dir, rec := assign(t, resolve(t, backend.PlatformGo), spec), t.TempDir(), &recorder{}
		must(t, trainer.Run(t.Context(), a, dir, rec.emit))
		adapters = append(adapters, filepath.Join(dir, trainer.AdapterFolder), filepath.Join(dir, trainer.LastAdapterFolder))
	}
	ids := [][]int32{{5, 7, 11, 13, 17, 19, 23, 29}, {500, 400, 300, 200, 100, 50, 25, 12}}
	for i, theirs := range peftLogits(t, python, adapters, ids) {
		if d := maxDiff(logits(t, tinyModel, adapters[i], ids), theirs); !(d <= logitsTolerance) {
			t.Errorf("%s: PEFT's logits differ from ours by %g", adapters[i], d)
		}
	}
}

// TestReadsPEFTsAdapters compares with the logits that PEFT 0.21.2 computed for adapters it saved, and for the models it merged
// them into.
func TestReadsPEFTsAdapters(t *testing.T) {
	t.Parallel()
	var inputs struct {
		IDs [][]int32 `json:"input_ids"`
	}
	readJSON(t, filepath.Join(tinyModel, "inputs.json"), &inputs) // the same for every model
	for name, base := range map[string]string{
		"gpt2-attn-mlp-r4": "tiny-gpt2", "gpt2-old-config": "tiny-gpt2", "gpt2-bias-lora-only": "tiny-gpt2", "llama-all-linear-r8": "tiny-llama",
		"llama-dora-r4": "tiny-llama", "llama-r8-bf16-file": "tiny-llama", "llama-embed-and-linear": "tiny-llama3", "llama3-lm-head-saved": "tiny-llama3",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, base := filepath.Join("weights/testdata", name), filepath.Join("model/testdata", base)
			golden, err := weights.ReadFile(filepath.Join(dir, "golden_logits.safetensors"))
			must(t, err)
			if d := maxDiff(logits(t, base, dir, inputs.IDs), golden["adapter_logits"].Data); !(d <= logitsTolerance) {
				t.Errorf("logits differ from PEFT's by %g", d)
			}
			if d := maxDiff(mergedLogits(t, base, dir, inputs.IDs), golden["merged_logits"].Data); !(d <= logitsTolerance) {
				t.Errorf("merged logits differ from PEFT's by %g", d)
			}
		})
	}
}

func pythonWithPEFT(t *testing.T) string {
	t.Helper()
	python := os.Getenv("SWEEP_PYTHON")
	if python == "" {
		python = "python3"
	}
	if out, err := exec.CommandContext(t.Context(), python, "-c", "import peft, torch, transformers").CombinedOutput(); err != nil {
		last := bytes.TrimSpace(out)
		t.Skipf("SKIPPED: no Python with peft, torch and transformers (%s: %v: %s); set SWEEP_PYTHON to one that has them",
			python, err, last[bytes.LastIndexByte(last, '\n')+1:])
	}
	return python
}

func peftLogits(t *testing.T, python string, adapters []string, ids [][]int32) [][]float32 {
	t.Helper()
	rows, err := json.Marshal(ids)
	must(t, err)
	cmd := exec.CommandContext(t.Context(), python, append([]string{"testdata/peft_logits.py", tinyModel, string(rows)}, adapters...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Env = append(os.Environ(), "HF_HUB_OFFLINE=1", "OMP_NUM_THREADS=1")
	if err := cmd.Run(); err != nil {
		t.Fatalf("PEFT could not load the adapters: %v\n%s", err, stderr.String())
	}
	var all [][]float32
	must(t, json.Unmarshal(stdout.Bytes(), &all))
	if len(all) != len(adapters) {
		t.Fatalf("PEFT gave %d results for %d adapters", len(all), len(adapters))
	}
	return all
}

// logits computes the same with this project's reader and model.
func logits(t *testing.T, base, adapter string, ids [][]int32) []float32 {
	t.Helper()
	a, err := weights.ReadAdapter(adapter)
	must(t, err)
	config, tensors := readTiny(t, base)
	f, err := config.Fit(a)
	must(t, err)
	maps.Copy(tensors, f.Base)
	return logitsOf(t, config, tensors, f, ids)
}

// mergedLogits are those of the base with the adapter worked into it.
func mergedLogits(t *testing.T, base, adapter string, ids [][]int32) []float32 {
	t.Helper()
	a, err := weights.ReadAdapter(adapter)
	must(t, err)
	config, tensors := readTiny(t, base)
	merged, err := model.Merge(config, tensors, a)
	must(t, err)
	config.TieHead = config.TieHead && merged["lm_head.weight"].Data == nil
	nothing := sweep.LoRASpec{Rank: 1, Alpha: 1, TargetModules: sweep.Targets{Pattern: sweep.AllLinear}}
	targets, err := nothing.Match(config.Modules())
	must(t, err)
	fresh, _, err := model.InitAdapter(config, merged, targets, nothing, 0)
	must(t, err)
	return logitsOf(t, config, merged, model.Fitted{LoRA: nothing, Targets: targets, Tensors: fresh}, ids)
}

func logitsOf(t *testing.T, config model.Config, base map[string]weights.Array, f model.Fitted, ids [][]int32) []float32 {
	t.Helper()
	be, err := backend.Open(resolve(t, backend.PlatformGo).Platform, "", 0)
	must(t, err)
	defer be.Finalize()
	p, err := model.New(be, config, base, f.Tensors, model.Options{LoRA: f.LoRA, Targets: f.Targets, SequenceLength: len(ids[0])})
	must(t, err)
	defer p.Close()
	b := model.Batch{B: len(ids), T: len(ids[0])}
	for _, row := range ids {
		b.IDs = append(b.IDs, row...)
		b.Labels = append(b.Labels, row...)
	}
	out, err := p.Logits(b)
	must(t, err)
	return out.Data
}
