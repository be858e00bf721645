package trainer_test

import (
	"bytes"
	"encoding/json"
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
		ours, a := logits(t, adapters[i], ids)
		if d := maxDiff(ours, theirs); !(d <= logitsTolerance) {
			t.Errorf("adapter of rank %d on %s: PEFT's logits differ from ours by %g", a.Config.R, a.Config.TargetModules, d)
		}
	}
}

// TestReadsPEFTsAdapters compares with the logits that PEFT 0.21.2 computed for adapters it saved.
func TestReadsPEFTsAdapters(t *testing.T) {
	t.Parallel()
	var inputs struct {
		IDs [][]int32 `json:"input_ids"`
	}
	readJSON(t, filepath.Join(tinyModel, "inputs.json"), &inputs)
	for _, name := range []string{"gpt2-attn-mlp-r4", "gpt2-old-config"} {
		dir := filepath.Join("weights/testdata", name)
		got, _ := logits(t, dir, inputs.IDs)
		golden, err := weights.ReadFile(filepath.Join(dir, "golden_logits.safetensors"))
		must(t, err)
		if d := maxDiff(got, golden["adapter_logits"].Data); !(d <= logitsTolerance) {
			t.Errorf("%s: logits differ from PEFT's by %g", name, d)
		}
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
func logits(t *testing.T, adapter string, ids [][]int32) ([]float32, weights.Adapter) {
	t.Helper()
	platform := resolve(t, backend.PlatformGo).Platform
	a, err := weights.ReadAdapter(adapter)
	must(t, err)
	text, err := os.ReadFile(filepath.Join(tinyModel, "config.json"))
	must(t, err)
	config, err := model.ParseConfig(text)
	must(t, err)
	base, err := weights.ReadModel(os.DirFS(tinyModel), config.Weights())
	must(t, err)
	be, err := backend.Open(platform, "", 0)
	must(t, err)
	defer be.Finalize()
	targets, err := model.Match(config.Modules(), sweep.Targets{List: a.Modules()})
	must(t, err)
	p, err := model.New(be, config, base, a.Tensors, model.Options{LoRA: a.Spec(), Targets: targets, SequenceLength: len(ids[0])})
	must(t, err)
	defer p.Close()
	b := model.Batch{B: len(ids), T: len(ids[0])}
	for _, row := range ids {
		b.IDs = append(b.IDs, row...)
		b.Labels = append(b.Labels, row...)
	}
	out, err := p.Logits(b)
	must(t, err)
	return out.Data, a
}
