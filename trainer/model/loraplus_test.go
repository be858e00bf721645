package model

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// TestLoraPlusAsPEFT compares learning rate and weight decay of every tensor with the groups of PEFT's own optimiser, which
// ../testdata/peft_loraplus.py wrote.
func TestLoraPlusAsPEFT(t *testing.T) {
	t.Parallel()
	var want struct{ Groups map[string][2]float64 }
	readJSON(t, "testdata/loraplus.json", &want)
	l := lora.Spec{
		Rank: 1, Alpha: 8, TargetModules: names("c_attn", "wte"), Bias: lora.BiasLoRAOnly, UseDoRA: true,
		ModulesToSave:   []string{"ln_f", "c_fc"},
		LoRAPlusLRRatio: 16, LoRAPlusLREmbedding: 1e-5,
	}
	const lr, decay = 1e-3, 0.1
	c := tinyConfig(t)
	targets, err := l.Match(c.Modules())
	must(t, err)
	trained, err := c.Trainables(targets, l)
	must(t, err)
	got := map[string][2]float64{}
	for i, g := range loraPlus(trained, l, lr) {
		got[trained[i].Key] = [2]float64{g.rate * lr, g.decay * decay}
	}
	if diff := cmp.Diff(want.Groups, got, cmpopts.EquateApprox(1e-12, 0)); diff != "" {
		t.Errorf("-PEFT +ours\n%s", diff)
	}
}

// TestLoraPlusStep: under LoRA+ A moves as it would at the learning rate, B as at ratio times that.
func TestLoraPlusStep(t *testing.T) {
	t.Parallel()
	for platform, open := range backends() {
		t.Run(platform, func(t *testing.T) {
			t.Parallel()
			be, b := open(t), tinyInputs(t).batch(t)
			step := func(ratio, lr float64) map[string]weights.Array {
				o := tinyOptions(t, 2)
				o.LoRA.LoRAPlusLRRatio, o.Train.LearningRate = ratio, 1e-3
				p := newTiny(t, be, seededAdapter(t, o), o)
				_, err := p.Step(1, []Batch{b}, lr)
				must(t, err)
				s, err := p.State()
				must(t, err)
				return s.Adapter
			}
			plus, slow, fast := step(16, 1e-3), step(0, 1e-3), step(0, 16e-3)
			for _, m := range tinyOptions(t, 2).Targets {
				a, b := weights.KeyA(m.Name), weights.KeyB(m.Name)
				if d := maxDiff(plus[a].Data, slow[a].Data); d > 1e-7 { // float32 of values up to 0.2
					t.Errorf("%s differs by %g from a step at the learning rate", a, d)
				}
				if d := maxDiff(plus[b].Data, fast[b].Data); d > 1e-7 {
					t.Errorf("%s differs by %g from a step at 16 times the learning rate", b, d)
				}
			}
		})
	}
}
