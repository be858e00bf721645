package model

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// kind is something that can train, on a golden model.
type kind struct {
	name, base string
	lora       lora.Spec
}

func names(list ...string) lora.Targets { return lora.Targets{List: list} }

// kinds are those that no golden case has, with dropout where it makes a difference.
func kinds() []kind {
	linear := lora.Targets{Pattern: lora.AllLinear}
	return []kind{
		{"DoRA with biases and dropout", "tiny-gpt2", lora.Spec{Dropout: 0.2, TargetModules: linear, UseDoRA: true, Bias: lora.BiasAll}},
		{"embeddings and tied head", "tiny-gpt2", lora.Spec{Dropout: 0.2, TargetModules: names("wte", "wpe", "lm_head", "c_attn")}},
		{"DoRA on embeddings and tied head", "tiny-gpt2", lora.Spec{TargetModules: names("wte", "lm_head"), UseDoRA: true}},
		{"DoRA on the head with dropout", "tiny-llama3", lora.Spec{Dropout: 0.2, TargetModules: names("lm_head", "q_proj"), UseDoRA: true}},
		{"saved tied head", "tiny-gpt2", lora.Spec{TargetModules: names("c_attn"), ModulesToSave: []string{"lm_head"}}},
		{"saved tied embedding", "tiny-llama", lora.Spec{TargetModules: names("q_proj"), ModulesToSave: []string{"embed_tokens"}}},
		{
			"saved block, norm, head and embedding", "tiny-qwen2",
			lora.Spec{TargetModules: names("q_proj"), ModulesToSave: []string{"layers.1.mlp", "model.norm", "lm_head", "embed_tokens"}},
		},
	}
}

func (k kind) options(t testing.TB, c Config) Options {
	t.Helper()
	l := k.lora
	l.Rank, l.Alpha, l.Init = 3, 5, lora.InitKaiming
	targets, err := l.Match(c.Modules())
	must(t, err)
	return Options{LoRA: l, Train: trial.TrainSpec{BatchSize: 2, WeightDecay: 0.01, MaxGradNorm: 1}, Targets: targets, SequenceLength: 16}
}

// seeded is an adapter with nothing at its initial value.
func (k kind) seeded(t testing.TB, c Config, base map[string]weights.Array, o Options) map[string]weights.Array {
	t.Helper()
	adapter := initAdapter(t, c, base, o.Targets, o.LoRA, 7)
	for key, a := range adapter {
		random := stream("test", 7, key)
		for i := range a.Data {
			a.Data[i] += float32(0.05 * gaussian(random))
		}
	}
	return adapter
}

// TestGradientsOfEveryKind compares with finite differences. A and B of DoRA are left to the golden case: their gradient leaves out
// the length of the weight, on purpose.
func TestGradientsOfEveryKind(t *testing.T) {
	t.Parallel()
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join("testdata", k.base)
			c := readConfig(t, dir+"/config.json")
			base := readBase(t, dir, c)
			o := k.options(t, c)
			p := newProgram(t, xlaCPU(t), c, base, k.seeded(t, c, base, o), o)
			b := tinyInputs(t).batch(t)
			grads, loss, err := p.Gradients(b)
			must(t, err)
			g := newProgram(t, pureGo(t), c, base, k.seeded(t, c, base, o), o)
			inGo, lossInGo, err := g.Gradients(b)
			must(t, err)
			check(t, "loss in pure Go", lossInGo, loss, lossTolerance)
			checkTensors(t, "gradients in pure Go", inGo, grads, gradientTolerance)
			for _, trained := range p.trained {
				if o.LoRA.UseDoRA && (trained.Role == lora.RoleA || trained.Role == lora.RoleB) {
					continue
				}
				h := float32(2e-2)
				if strings.Contains(trained.Key, "lora_embedding_A") {
					h = 4e-3 // B is of the order of 1 there
				}
				largest := 0
				for i, g := range grads[trained.Key].Data {
					if math.Abs(float64(g)) > math.Abs(float64(grads[trained.Key].Data[largest])) {
						largest = i
					}
				}
				slope := (lossWith(t, p, b, trained.Key, largest, h) - lossWith(t, p, b, trained.Key, largest, -h)) / (2 * float64(h))
				// Rounding: 2·1e-6 of a loss of 7 over 2h = 5e-5; truncation: h² of the third derivative.
				check(t, "slope of "+trained.Key, slope, float64(grads[trained.Key].Data[largest]), 2e-3)
			}
		})
	}
}

// TestMergeEveryKind: the merged model, its head untied where that is needed, computes what the base with the adapter computes.
func TestMergeEveryKind(t *testing.T) {
	t.Parallel()
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join("testdata", k.base)
			c := readConfig(t, dir+"/config.json")
			base := readBase(t, dir, c)
			o := k.options(t, c)
			adapter := k.seeded(t, c, base, o)
			be, b := xlaCPU(t), tinyInputs(t).batch(t)
			want, err := newProgram(t, be, c, base, adapter, o).Logits(b)
			must(t, err)
			merged, err := Merge(c, base, weights.Adapter{Config: weights.NewAdapterConfig("base", o.LoRA, o.Targets), Tensors: adapter})
			must(t, err)
			touchesHead := strings.Contains(k.name, "tied") || strings.Contains(k.name, "saved block")
			if _, own := merged["lm_head.weight"]; c.TieHead && own != touchesHead {
				t.Errorf("the merged model has a head of its own: %t, want %t", own, touchesHead)
			}
			c.TieHead = c.TieHead && !touchesHead
			got, err := newBareOn(t, be, c, merged).Logits(b)
			must(t, err)
			if d := maxDiff(got.Data, want.Data); d > logitsTolerance {
				t.Errorf("merged logits differ by %g", d)
			}
		})
	}
}

// TestFreshAdapterIsTheBase: whatever trains, before the first step the model computes what the base computes.
func TestFreshAdapterIsTheBase(t *testing.T) {
	t.Parallel()
	pissa := kind{"pissa", "tiny-gpt2", lora.Spec{TargetModules: names("c_attn", "c_proj", "wte"), Init: lora.InitPiSSA}}
	both := kind{"pissa with DoRA", "tiny-llama", lora.Spec{TargetModules: names("q_proj"), Init: lora.InitPiSSA, UseDoRA: true}}
	for _, k := range append(kinds(), pissa, both) {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join("testdata", k.base)
			c := readConfig(t, dir+"/config.json")
			base := readBase(t, dir, c)
			o := k.options(t, c)
			o.LoRA.Init = k.lora.Init
			adapter := initAdapter(t, c, base, o.Targets, o.LoRA, 7)
			got, err := newProgram(t, xlaCPU(t), c, base, adapter, o).Logits(tinyInputs(t).batch(t))
			must(t, err)
			want := readTensors(t, dir+"/forward.safetensors")["logits"]
			if d := maxDiff(got.Data, want.Data); d > logitsTolerance {
				t.Errorf("logits differ from the base's by %g", d)
			}
		})
	}
}
