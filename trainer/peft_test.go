package trainer_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/lora"
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
	specs["rslora_regex"] = lora.Spec{
		Rank: 4, Alpha: 3, UseRSLoRA: true, Init: "gaussian", TargetModules: lora.Targets{Pattern: `.*\.1\.(attn\.c_attn|mlp\.c_fc)`},
	}
	specs["pissa"] = lora.Spec{Rank: 4, Alpha: 3, Init: lora.InitPiSSA, TargetModules: lora.Targets{List: []string{"c_attn"}}}
	var bases, adapters []string
	for _, lora := range specs {
		spec := tinySpec()
		spec.LoRA = lora
		spec.LoRA.Dropout = 0.1
		spec.Train.LearningRate = 2e-2
		a, dir, rec := assign(t, resolve(t, backend.PlatformGo), spec), t.TempDir(), &recorder{}
		must(t, trainer.Run(t.Context(), a, dir, rec.emit))
		bases = append(bases, tinyModel, tinyModel)
		last := trainer.LastFolder(*rec.events[len(rec.events)-1].Outcome)
		adapters = append(adapters, filepath.Join(dir, trainer.AdapterFolder), filepath.Join(dir, last))
	}
	for _, made := range madeAdapters() {
		bases, adapters = append(bases, made.base), append(adapters, made.write(t))
	}
	for i, theirs := range peftLogits(t, python, bases, adapters, rowsForPEFT()) {
		if d := maxDiff(logits(t, bases[i], adapters[i], rowsForPEFT()), theirs); !(d <= logitsTolerance) {
			t.Errorf("%s: PEFT's logits differ from ours by %g", adapters[i], d)
		}
	}
}

func rowsForPEFT() [][]int32 {
	return [][]int32{{5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43}, {125, 100, 75, 50, 25, 12, 6, 3, 1, 0, 127, 126}}
}

// architecture is the folder of an architecture's small model.
func architecture(name string) string { return filepath.Join("model/testdata/architectures", name) }

// madeAdapter is an adapter with random values, on a golden model.
type madeAdapter struct {
	base string
	lora lora.Spec
}

func madeAdapters() []madeAdapter {
	list := func(names ...string) lora.Targets { return lora.Targets{List: names} }
	const llama, llama3, qwen2 = "model/testdata/tiny-llama", "model/testdata/tiny-llama3", "model/testdata/tiny-qwen2"
	return []madeAdapter{
		{tinyModel, lora.Spec{TargetModules: list("c_attn", "c_proj"), UseDoRA: true, Bias: lora.BiasAll}},
		{tinyModel, lora.Spec{TargetModules: list("c_attn"), ModulesToSave: []string{"lm_head", "ln_f"}}},
		{tinyModel, lora.Spec{TargetModules: list("wte", "wpe", "c_fc")}},
		{llama, lora.Spec{TargetModules: list("q_proj", "v_proj", "down_proj"), UseRSLoRA: true}},
		{llama, lora.Spec{
			TargetModules: list("q_proj", "up_proj"), UseDoRA: true, LayersToTransform: []int{1},
			LayersPattern: []string{"layers"},
		}},
		{llama, lora.Spec{
			TargetModules: list("q_proj", "k_proj", "v_proj"), ExcludeModules: list("layers.0.self_attn.k_proj"),
			RankPattern:  lora.Patterns{{Key: "v_proj", Value: 2}, {Key: ".*_proj", Value: 5}},
			AlphaPattern: lora.Patterns{{Key: "1.self_attn.q_proj", Value: 32}},
		}},
		{llama3, lora.Spec{TargetModules: list("lm_head", "embed_tokens", "v_proj"), UseDoRA: true}},
		{qwen2, lora.Spec{TargetModules: list("q_proj", "k_proj", "v_proj", "gate_proj"), Bias: lora.BiasLoRAOnly}},
		{qwen2, lora.Spec{TargetModules: list("q_proj"), UseRSLoRA: true, UseDoRA: true, ModulesToSave: []string{"embed_tokens", "norm"}}},
		// Scaled embeddings, capped and scaled logits, and norms as saved modules.
		{architecture("gemma2"), lora.Spec{TargetModules: list("embed_tokens", "lm_head", "v_proj")}},
		{architecture("gemma3_text"), lora.Spec{TargetModules: list("q_proj"), UseDoRA: true, ModulesToSave: []string{"q_norm", "norm"}}},
		{architecture("granite"), lora.Spec{TargetModules: list("embed_tokens", "lm_head", "o_proj"), UseDoRA: true}},
		{architecture("olmo2"), lora.Spec{TargetModules: list("k_proj", "lm_head"), ModulesToSave: []string{"k_norm"}}},
		{architecture("phi3"), lora.Spec{TargetModules: list("qkv_proj", "gate_up_proj"), UseDoRA: true}},
		{architecture("smollm3"), lora.Spec{TargetModules: list("q_proj", "k_proj"), Bias: lora.BiasLoRAOnly}},
	}
}

// write stores the adapter, every value moved away from where it starts.
func (m madeAdapter) write(t *testing.T) string {
	t.Helper()
	config, base := readTiny(t, m.base)
	l := m.lora
	l.Rank, l.Alpha, l.Init = 4, 6, lora.InitKaiming
	targets, err := l.Match(config.Modules())
	must(t, err)
	adapter, err := model.InitAdapter(config, base, targets, l, 3)
	must(t, err)
	random := rand.New(rand.NewPCG(1, 2))
	for _, key := range slices.Sorted(maps.Keys(adapter)) {
		for i := range adapter[key].Data {
			adapter[key].Data[i] += float32(0.05 * random.NormFloat64())
		}
	}
	dir := filepath.Join(t.TempDir(), "adapter")
	must(t, weights.WriteAdapter(dir, weights.Adapter{Config: weights.NewAdapterConfig(m.base, l, targets), Tensors: adapter}))
	return dir
}

// TestLoadsPEFTsAdapters lets PEFT make and save adapters, and compares the logits that it computes with ours.
func TestLoadsPEFTsAdapters(t *testing.T) {
	t.Parallel()
	python := pythonWithPEFT(t)
	const llama, llama3, qwen2 = "model/testdata/tiny-llama", "model/testdata/tiny-llama3", "model/testdata/tiny-qwen2"
	cases := [][2]string{
		{tinyModel, `{"r": 4, "target_modules": ["c_attn", "c_proj"], "fan_in_fan_out": true, "lora_dropout": 0.1}`},
		{tinyModel, `{"r": 4, "target_modules": "all-linear", "fan_in_fan_out": true, "bias": "all", "use_dora": true}`},
		{tinyModel, `{"r": 3, "target_modules": ["c_attn"], "fan_in_fan_out": true, "modules_to_save": ["lm_head"]}`},
		{llama, `{"r": 4, "target_modules": ["q_proj", "v_proj"], "use_rslora": true, "init_lora_weights": "gaussian"}`},
		{llama, `{"r": 4, "target_modules": "all-linear", "use_dora": true, "exclude_modules": ["k_proj"]}`},
		{llama, `{"r": 4, "target_modules": ["q_proj", "o_proj"], "rank_pattern": {"o_proj": 2}, "alpha_pattern": ` +
			`{"layers.1.self_attn.q_proj": 3}, "layers_to_transform": [1]}`},
		{llama3, `{"r": 4, "target_modules": ["embed_tokens", "lm_head", "q_proj"]}`},
		{qwen2, `{"r": 4, "target_modules": ["q_proj", "k_proj", "v_proj"], "bias": "lora_only"}`},
		{architecture("gemma2"), `{"r": 4, "target_modules": ["embed_tokens", "q_proj", "v_proj"]}`},
		{architecture("gemma3_text"), `{"r": 4}`},
		{architecture("granite"), `{"r": 4, "target_modules": "all-linear", "use_dora": true}`},
		{architecture("olmo2"), `{"r": 4, "target_modules": ["lm_head", "q_proj"]}`},
		{architecture("phi3"), `{"r": 4, "target_modules": ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"]}`},
		{architecture("smollm3"), `{"r": 4, "target_modules": ["q_proj", "o_proj"], "bias": "all"}`},
		{qwen2, `{"r": 4, "target_modules": ["q_proj", "down_proj"], "use_rslora": true, "use_dora": true, "modules_to_save": ["embed_tokens"]}`},
	}
	out := t.TempDir()
	args := []string{"testdata/peft_adapters.py", rowsJSON(t, rowsForPEFT()), out}
	for _, c := range cases {
		args = append(args, c[0], c[1])
	}
	for i, theirs := range runPEFT(t, python, args, len(cases)) {
		if d := maxDiff(logits(t, cases[i][0], filepath.Join(out, strconv.Itoa(i)), rowsForPEFT()), theirs); !(d <= logitsTolerance) {
			t.Errorf("%s %s: our logits differ from PEFT's by %g", cases[i][0], cases[i][1], d)
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
		"llama-dora-r4": "tiny-llama", "llama-r8-bf16-file": "tiny-llama", "llama-embed-and-linear": "tiny-llama3",
		"llama3-lm-head-saved": "tiny-llama3",
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

func rowsJSON(t *testing.T, ids [][]int32) string {
	t.Helper()
	rows, err := json.Marshal(ids)
	must(t, err)
	return string(rows)
}

// peftLogits are those of adapters, each on its base, as PEFT computes them.
func peftLogits(t *testing.T, python string, bases, adapters []string, ids [][]int32) [][]float32 {
	t.Helper()
	args := []string{"testdata/peft_logits.py", rowsJSON(t, ids)}
	for i := range adapters {
		args = append(args, bases[i], adapters[i])
	}
	return runPEFT(t, python, args, len(adapters))
}

// runPEFT runs a script that prints this many lists of logits.
func runPEFT(t *testing.T, python string, args []string, results int) [][]float32 {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), python, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Env = append(os.Environ(), "HF_HUB_OFFLINE=1", "OMP_NUM_THREADS=1")
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", args[0], err, stderr.String())
	}
	var all [][]float32
	must(t, json.Unmarshal(stdout.Bytes(), &all))
	if len(all) != results {
		t.Fatalf("%s gave %d results, want %d", args[0], len(all), results)
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
	nothing := lora.Spec{Rank: 1, Alpha: 1, TargetModules: lora.Targets{Pattern: lora.AllLinear}}
	targets, err := nothing.Match(config.Modules())
	must(t, err)
	fresh, err := model.InitAdapter(config, merged, targets, nothing, 0)
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
	var all []float32
	for i := range b.IDs {
		out, err := p.NextLogits(b, slices.Repeat([]int32{int32(i % b.T)}, b.B))
		must(t, err)
		row := i / b.T * config.VocabSize
		all = append(all, out.Data[row:row+config.VocabSize]...)
	}
	return all
}
