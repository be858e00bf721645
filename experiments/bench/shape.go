package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/trainer/model"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// Names of shapes.
const (
	gpt2Small = "gpt2-small"
	smolLM2   = "smollm2-135m"
	gopher    = "gopher"
	smoke     = "smoke"
)

// shape is one comparison: a model with random weights, an adapter, and how much work is timed.
type shape struct {
	Name          string
	Config        string // of config.json
	Targets       lora.Targets
	Batch, Length int
	Warmup, Steps int // steps that do not count, and those that do
	Evaluations   int // those that count; one more comes before them
	HeldOut       int // rows of an evaluation
}

const rank = 8

// shapes are GPT-2 small, SmolLM2-135M and the embedded model, at the batches that experiments/LOG.md reports, and a tiny one for tests.
func shapes() []shape {
	cAttn := lora.Targets{List: []string{"c_attn"}}
	gpt2 := `{"model_type": "gpt2", "n_layer": %d, "n_embd": %d, "n_head": %d, "vocab_size": %d, "n_positions": %d,
		"resid_pdrop": 0, "embd_pdrop": 0, "attn_pdrop": 0}`
	return []shape{
		{
			Name: gpt2Small, Config: fmt.Sprintf(gpt2, 12, 768, 12, 50257, 1024), Targets: cAttn,
			Batch: 4, Length: 128, Warmup: 2, Steps: 8, Evaluations: 2, HeldOut: 32,
		},
		{
			Name: smolLM2, Config: `{"model_type": "llama", "num_hidden_layers": 30, "hidden_size": 576, "num_attention_heads": 9,
				"num_key_value_heads": 3, "intermediate_size": 1536, "vocab_size": 49152, "max_position_embeddings": 8192,
				"rope_theta": 100000, "rms_norm_eps": 1e-5, "hidden_act": "silu", "tie_word_embeddings": true}`,
			Targets: lora.Targets{Pattern: lora.AllLinear},
			Batch:   2, Length: 256, Warmup: 2, Steps: 6, Evaluations: 1, HeldOut: 32,
		},
		{
			Name: gopher, Config: fmt.Sprintf(gpt2, 4, 128, 4, 2048, 128), Targets: cAttn,
			Batch: 8, Length: 64, Warmup: 10, Steps: 150, Evaluations: 10, HeldOut: 32,
		},
		{
			Name: smoke, Config: fmt.Sprintf(gpt2, 2, 32, 2, 64, 32), Targets: cAttn,
			Batch: 2, Length: 16, Warmup: 1, Steps: 3, Evaluations: 2, HeldOut: 8,
		},
	}
}

// job is what a side is told, in a file.
type job struct {
	Model   string                `json:"model"` // a folder in Hugging Face's layout
	Adapter weights.AdapterConfig `json:"adapter"`
	Threads int                   `json:"threads"`
	Warmup  int                   `json:"warmup"`
	Steps   int                   `json:"steps"`
	Batch   int                   `json:"batch"`
	Rows    [][]int32             `json:"rows"` // Batch of them for each step
	// HeldOut rows are scored Evaluations times, and once before.
	HeldOut     [][]int32 `json:"held_out"`
	Evaluations int       `json:"evaluations"`
}

// prepare writes base, adapter settings and rows into dir, and returns the path of the job.
func (s shape) prepare(dir string) (string, error) {
	config, err := model.ParseConfig([]byte(s.Config))
	if err != nil {
		return "", err
	}
	if err := writeBase(dir, []byte(s.Config), config, config.InitWeights(1)); err != nil {
		return "", err
	}
	spec := lora.Spec{Rank: rank, Alpha: 16, TargetModules: s.Targets, Init: lora.InitKaiming}
	adapter, err := adapterConfig(spec, config.Modules())
	if err != nil {
		return "", err
	}
	draw := rand.New(rand.NewPCG(1, 1))
	return writeJob(dir, job{
		Model: dir, Adapter: adapter, Threads: runtime.NumCPU(), Warmup: s.Warmup, Steps: s.Steps, Batch: s.Batch,
		Rows:    randomRows(draw, (s.Warmup+s.Steps)*s.Batch, s.Length, config.VocabSize),
		HeldOut: randomRows(draw, s.HeldOut, s.Length, config.VocabSize), Evaluations: s.Evaluations,
	})
}

func randomRows(draw *rand.Rand, n, length, vocab int) [][]int32 {
	rows := make([][]int32, n)
	for i := range rows {
		rows[i] = make([]int32, length)
		for j := range rows[i] {
			rows[i][j] = draw.Int32N(int32(vocab))
		}
	}
	return rows
}

// writeBase writes a model as transformers loads it, in float32.
func writeBase(dir string, text []byte, c model.Config, base map[string]weights.Array) error {
	want := c.Weights()
	var order []string
	named := map[string]weights.Array{}
	for _, t := range c.Tensors() {
		name := want.InFile(t.Name)
		order = append(order, name)
		named[name] = base[t.Name]
	}
	if err := os.WriteFile(filepath.Join(dir, weights.ConfigFile), text, 0o644); err != nil {
		return err
	}
	return weights.WriteModel(dir, order, named, func(string) weights.DType { return weights.F32 }, weights.MaxShard)
}

// adapterConfig are PEFT's settings to train an adapter with.
func adapterConfig(spec lora.Spec, modules []lora.Module) (weights.AdapterConfig, error) {
	targets, err := spec.Match(modules)
	if err != nil {
		return weights.AdapterConfig{}, err
	}
	c := weights.NewAdapterConfig("", spec, targets)
	c.InferenceMode = false
	return c, nil
}

func writeJob(dir string, j any) (string, error) {
	text, err := json.Marshal(j)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "job.json")
	return path, os.WriteFile(path, text, 0o644)
}

func readJob(path string) (j job, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return job{}, err
	}
	return j, json.Unmarshal(text, &j)
}
