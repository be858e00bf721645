package model

import (
	"math"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// TestFullAsPyTorch compares steps that train weights and biases themselves with testdata/full.py.
func TestFullAsPyTorch(t *testing.T) {
	t.Parallel()
	var want struct {
		LR     float64   `json:"lr"`
		Decay  float64   `json:"weight_decay"`
		Clip   float64   `json:"max_grad_norm"`
		Losses []float64 `json:"loss"`
		Norms  []float64 `json:"grad_norm"`
	}
	readJSON(t, "testdata/full/trace.json", &want)
	final := readTensors(t, "testdata/full/final.safetensors")
	c, b := tinyConfig(t), tinyInputs(t).batch(t)
	adapter := lora.Spec{Rank: 4, Alpha: 8, Dropout: 0.5, TargetModules: names("attn.c_proj"), Init: lora.InitKaiming, Bias: lora.BiasLoRAOnly}
	o := Options{
		LoRA: adapter.Whole(), SequenceLength: b.T,
		Train: trial.TrainSpec{BatchSize: b.B, WeightDecay: want.Decay, MaxGradNorm: want.Clip},
	}
	var err error
	o.Targets, err = o.LoRA.Match(c.Modules())
	must(t, err)
	base := readBase(t, tiny, c)
	start, err := InitAdapter(c, base, o.Targets, o.LoRA, 0)
	must(t, err)
	for platform, open := range backends() {
		t.Run(platform, func(t *testing.T) {
			t.Parallel()
			p := newProgram(t, open(t), c, base, start, o)
			for i, loss := range want.Losses {
				r, err := p.Step(i+1, []Batch{b}, want.LR)
				must(t, err)
				if math.Abs(r.Loss-loss) > lossTolerance || math.Abs(r.GradNorm/want.Norms[i]-1) > normTolerance {
					t.Errorf("step %d: loss %.7f and norm %.7f, PyTorch has %.7f and %.7f", i+1, r.Loss, r.GradNorm, loss, want.Norms[i])
				}
			}
			s, err := p.State()
			must(t, err)
			if len(s.Adapter) != len(final) {
				t.Errorf("%d tensors train, %d do in PyTorch", len(s.Adapter), len(final))
			}
			for key, a := range s.Adapter {
				w := final[strings.TrimPrefix(key, lora.AdapterPrefix)]
				if d := maxDiff(a.Data, w.Data); d > weightTolerance {
					t.Errorf("%s differs by %g", key, d)
				}
			}
		})
	}
}
