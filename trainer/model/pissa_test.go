package model

import (
	"maps"
	"math"
	"path/filepath"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// TestExportPiSSA: the adapter that is stored computes on the base what the trained one does in training. In bfloat16 a sum that a machine
// adds up in another order may end in the next rounding: on AVX2 one in fourteen of the logits does, where AVX-512 shows none.
func TestExportPiSSA(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]lora.Spec{
		"plain":    {},
		"rsLoRA":   {UseRSLoRA: true},
		"DoRA":     {UseDoRA: true},
		"dropout":  {Dropout: 0.2},
		"patterns": {RankPattern: lora.Patterns{{Key: "c_proj", Value: 2}}, AlphaPattern: lora.Patterns{{Key: "c_attn", Value: 3}}},
	} {
		for _, dtype := range []string{"float32", "bfloat16"} {
			t.Run(name+" "+dtype, func(t *testing.T) {
				t.Parallel()
				l.TargetModules = names("c_attn", "c_proj", "wte")
				k := kind{name, "tiny-gpt2", l}
				c := tinyConfig(t)
				base := readBase(t, tiny, c)
				o := k.options(t, c)
				o.LoRA.Init, o.Train.Dtype = lora.InitPiSSA, dtype
				fresh := initAdapter(t, c, base, o.Targets, o.LoRA, 7)
				p := newProgram(t, xlaCPU(t), c, base, fresh, o)
				b := tinyInputs(t).batch(t)
				before, err := p.Logits(b)
				must(t, err)
				for step := range 3 {
					_, err := p.Step(step+1, []Batch{b}, 1e-2)
					must(t, err)
				}
				want, err := p.Logits(b)
				must(t, err)
				s, err := p.State()
				must(t, err)
				l, doubled := Export(o.LoRA, o.Targets, Start(o.LoRA, o.Targets, fresh), s.Adapter)
				dir := filepath.Join(t.TempDir(), "adapter")
				must(t, weights.WriteAdapter(dir, weights.Adapter{Config: weights.NewAdapterConfig("tiny-gpt2", l, o.Targets), Tensors: doubled}))
				a, err := weights.ReadAdapter(dir)
				must(t, err)
				f, err := c.Fit(a)
				must(t, err)
				scored := Options{LoRA: f.LoRA, Train: trial.TrainSpec{Dtype: dtype}, Targets: f.Targets, SequenceLength: 16}
				got, err := newProgram(t, xlaCPU(t), c, base, f.Tensors, scored).Logits(b)
				must(t, err)
				tolerance := logitsTolerance
				if dtype == "bfloat16" {
					_, exponent := math.Frexp(maxDiff(want.Data, make([]float32, len(want.Data))))
					tolerance = math.Ldexp(1, exponent-8) // between two numbers of 8 bits of the largest logit's size
				}
				if d := maxDiff(got.Data, want.Data); d > tolerance {
					t.Errorf("logits differ by %g, tolerance %g", d, tolerance)
				}
				if d := maxDiff(want.Data, before.Data); d < 1e-2 {
					t.Errorf("three steps changed the logits by %g only", d)
				}
			})
		}
	}
}

// TestPiSSATrainsTheResidualBase: losses and gradients are those of PEFT's form of PiSSA, an ordinary adapter B·A on the residual base
// W - s·B₀·A₀, whose input is not dropped.
func TestPiSSATrainsTheResidualBase(t *testing.T) {
	t.Parallel()
	for name, k := range map[string]kind{
		"plain":   {base: "tiny-gpt2", lora: lora.Spec{TargetModules: names("c_attn", "c_proj")}},
		"dropout": {base: "tiny-gpt2", lora: lora.Spec{TargetModules: names("c_attn", "c_proj"), Dropout: 0.3}},
		"DoRA with dropout": {
			base: "tiny-llama",
			lora: lora.Spec{TargetModules: names("q_proj", "up_proj"), Dropout: 0.3, UseDoRA: true},
		},
		"head with dropout": {base: "tiny-llama3", lora: lora.Spec{TargetModules: names("lm_head", "q_proj"), Dropout: 0.3}},
		"head, DoRA with dropout": {
			base: "tiny-llama3",
			lora: lora.Spec{TargetModules: names("lm_head", "q_proj"), Dropout: 0.3, UseDoRA: true},
		},
		"rsLoRA": {
			base: "tiny-llama",
			lora: lora.Spec{TargetModules: names("q_proj", "v_proj"), Dropout: 0.3, UseRSLoRA: true},
		},
		"beside a saved embedding": {
			base: "tiny-llama3",
			lora: lora.Spec{TargetModules: names("q_proj"), Dropout: 0.3, ModulesToSave: []string{"embed_tokens"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join("testdata", k.base)
			c := readConfig(t, dir+"/config.json")
			base := readBase(t, dir, c)
			o := k.options(t, c)
			o.LoRA.Init, o.Seed = lora.InitPiSSA, 5
			fresh := initAdapter(t, c, base, o.Targets, o.LoRA, 7)
			residual := maps.Clone(base)
			for _, m := range o.Targets {
				name := m.Name + ".weight"
				residual[name] = addUpdate(base[name], fresh[weights.KeyA(m.Name)], fresh[weights.KeyB(m.Name)], m, -o.LoRA.ScalingOf(m.Name))
			}
			moved := map[string]weights.Array{}
			for key, a := range fresh {
				random := stream("test", 7, key)
				moved[key] = weights.Array{Shape: a.Shape, Data: make([]float32, len(a.Data))}
				for i, v := range a.Data {
					moved[key].Data[i] = v + float32(0.05*gaussian(random))
				}
			}
			p := newProgram(t, xlaCPU(t), c, base, fresh, o)
			must(t, p.SetState(p.fresh(moved)))
			ordinary := o
			ordinary.LoRA.Init = lora.InitKaiming
			b := tinyInputs(t).batch(t)
			want, lossWant, err := newProgram(t, xlaCPU(t), c, residual, moved, ordinary).Gradients(b)
			must(t, err)
			got, loss, err := p.Gradients(b)
			must(t, err)
			check(t, "loss", loss, lossWant, lossTolerance)
			checkTensors(t, "gradients", got, want, gradientTolerance)
		})
	}
}
