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
			next, ok, err := p.Next(seededAdapter(t, other), other)
			must(t, err)
			if !ok {
				t.Fatal("Next does not take the base over")
			}
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

// TestNextOfAnotherKind: what changes the programs is compiled anew, and what changes the base is left to a new program.
func TestNextOfAnotherKind(t *testing.T) {
	t.Parallel()
	be, batches := pureGo(t), trainBatches(t)
	for what, change := range map[string]func(*Options){
		"bucket":        func(o *Options) { o.LoRA.Rank = 9 },
		"rank_pattern":  func(o *Options) { o.LoRA.RankPattern = lora.Patterns{{Key: "c_attn", Value: 12}} },
		"dropout":       func(o *Options) { o.LoRA.Dropout = 0.1 },
		"DoRA":          func(o *Options) { o.LoRA.UseDoRA = true },
		"LoRA+":         func(o *Options) { o.LoRA.LoRAPlusLRRatio = 16 },
		"targets":       func(o *Options) { o.Targets = o.Targets[1:] },
		"checkpointing": func(o *Options) { o.Train.GradientCheckpointing = true },
		"biases":        func(o *Options) { o.LoRA.Bias = lora.BiasAll },
		"dtype":         func(o *Options) { o.Train.Dtype = trial.DtypeBFloat16 },
	} {
		o := tinyOptions(t, 4)
		o.Train.LearningRate = 1e-2
		p := newTiny(t, be, seededAdapter(t, o), o)
		must(t, func() error { _, err := p.Step(1, batches[:1], 1e-2); return err }())
		before := p.apply
		change(&o)
		next, ok, err := p.Next(initAdapter(t, tinyConfig(t), readBase(t, tiny, tinyConfig(t)), o.Targets, o.LoRA, 3), o)
		must(t, err)
		if base := what == "biases" || what == "dtype"; base == ok {
			t.Errorf("%s: Next takes the base over: %v", what, ok)
		}
		if !ok {
			_, err := p.Step(2, batches[:1], 1e-2)
			must(t, err)
			continue
		}
		t.Cleanup(next.Close)
		_, err = next.Step(1, batches[:1], 1e-2)
		must(t, err)
		if next.apply == before {
			t.Errorf("%s: Next keeps the programs of another kind", what)
		}
	}
}
