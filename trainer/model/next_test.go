package model

import (
	"maps"
	"slices"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// TestNext: a program that takes over another's base and executables gives the bits of one that is new, compiles nothing where the two
// are of one kind, and hands out tensors of its own rank.
func TestNext(t *testing.T) {
	t.Parallel()
	for platform, open := range backends() {
		t.Run(platform, func(t *testing.T) {
			t.Parallel()
			be, batches := open(t), trainBatches(t)
			first, other := tinyOptions(t, 4), tinyOptions(t, 7)
			first.LoRA.Dropout, other.LoRA.Dropout = 0.1, 0.5
			other.LoRA.Alpha, other.Seed = 24, 5
			other.Train.WeightDecay, other.Train.MaxGradNorm = 0.1, 0
			train := func(p *Program) (State, []StepResult) {
				var all []StepResult
				for step := 1; step <= 2; step++ {
					r, err := p.Step(step, batches[:1], 1e-2)
					must(t, err)
					all = append(all, r)
				}
				s, err := p.State()
				must(t, err)
				return s, all
			}
			want, wantSteps := train(newTiny(t, be, seededAdapter(t, other), other))

			p := newTiny(t, be, seededAdapter(t, first), first)
			train(p)
			step, apply := slices.Collect(maps.Values(p.gradient)), p.apply
			next, err := p.Next(seededAdapter(t, other), other)
			must(t, err)
			t.Cleanup(next.Close)
			got, gotSteps := train(next)
			if !slices.Equal(gotSteps, wantSteps) {
				t.Errorf("steps after another trial %v, alone %v", gotSteps, wantSteps)
			}
			for i, part := range []map[string]weights.Array{got.Adapter, got.M, got.V} {
				for name, a := range []map[string]weights.Array{want.Adapter, want.M, want.V}[i] {
					if !slices.Equal(part[name].Shape, a.Shape) || !slices.Equal(part[name].Data, a.Data) {
						t.Errorf("%s differs from what it is alone", name)
					}
				}
			}
			if !slices.Equal(slices.Collect(maps.Values(next.gradient)), step) || next.apply != apply {
				t.Error("Next compiled anew")
			}
		})
	}
}

// TestNextOfAnotherKind: what changes the programs is refused, and leaves the program as it was.
func TestNextOfAnotherKind(t *testing.T) {
	t.Parallel()
	be, batches := pureGo(t), trainBatches(t)
	first := tinyOptions(t, 4)
	first.Train.LearningRate = 1e-2
	p := newTiny(t, be, seededAdapter(t, first), first)
	for what, change := range map[string]func(*Options){
		"bucket":        func(o *Options) { o.LoRA.Rank = 9 },
		"rank_pattern":  func(o *Options) { o.LoRA.RankPattern = lora.Patterns{{Key: "c_attn", Value: 12}} },
		"dropout":       func(o *Options) { o.LoRA.Dropout = 0.1 },
		"DoRA":          func(o *Options) { o.LoRA.UseDoRA = true },
		"PiSSA":         func(o *Options) { o.LoRA.Init = lora.InitPiSSA },
		"LoRA+":         func(o *Options) { o.LoRA.LoRAPlusLRRatio = 16 },
		"targets":       func(o *Options) { o.Targets = o.Targets[1:] },
		"checkpointing": func(o *Options) { o.Train.GradientCheckpointing = true },
		"biases":        func(o *Options) { o.LoRA.Bias = lora.BiasAll },
		"saved modules": func(o *Options) { o.LoRA.ModulesToSave = []string{"ln_f"} },
		"full":          func(o *Options) { o.LoRA.Full, o.LoRA.Rank, o.LoRA.Alpha = true, 0, 0 },
		"dtype":         func(o *Options) { o.Train.Dtype = trial.DtypeBFloat16 },
	} {
		o := first
		change(&o)
		if _, err := p.Next(seededAdapter(t, first), o); err == nil {
			t.Errorf("%s: Next takes the programs of another kind", what)
		}
	}
	_, err := p.Step(1, batches[:1], 1e-2)
	must(t, err)
}
