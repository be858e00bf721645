package model

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// smolTrace is five AdamW steps of PyTorch with PEFT.
type smolTrace struct {
	Loss       []float64
	Norm       []float64 `json:"grad_norm"`
	LR         []float64
	Before     float64              `json:"val_before"`
	After      float64              `json:"val_after"`
	FinalNorms map[string]float64   `json:"final_norms"`
	Final      map[string][]float32 `json:"final_first8"`
}

type smolGolden struct {
	Config    weights.AdapterConfig
	Scale     map[string]float64 `json:"fill_scale"`
	Salts     map[string]int
	First     map[string][]float32 `json:"seeded_first8"`
	Trainable int64                `json:"trainable_params"`
	IDs       []int32              `json:"text64_ids"`
	Batches   struct {
		Train []matrix
		Val   matrix
	}
	Seeded      goldenValues `json:"seeded_B"`
	Zero        goldenValues `json:"zero_B"`
	TraceZero   smolTrace    `json:"trace_zero_B_constant_lr"`
	TraceSeeded smolTrace    `json:"trace_seeded_B_cosine"`
}

// smolNormTolerance is ten times what float32 PyTorch is off its own float64 in a tensor's gradient norm (1.1e-4), relative.
const smolNormTolerance = 1e-3

// TestSmolLM2LoRAGolden: LoRA on a real model gives PEFT's losses, gradients and steps.
func TestSmolLM2LoRAGolden(t *testing.T) {
	t.Parallel()
	c, base := readGGUF(t, smolModel(t))
	var golden smolGolden
	readJSON(t, filepath.Join("testdata", "smollm2", "lora.json"), &golden)
	l := golden.Config.Spec()
	targets, err := l.Match(c.Modules())
	must(t, err)
	trained, err := c.Trainables(targets, l)
	must(t, err)
	o := Options{LoRA: l, Train: trial.TrainSpec{BatchSize: 2, WeightDecay: 0.01, MaxGradNorm: 1}, Targets: targets, SequenceLength: 48}
	seeded := golden.adapter(t, trained, true)
	p := newProgram(t, xlaCPU(t), c, base, seeded, o)
	if n := newLayout(specsOf(trained)).total; n != int(golden.Trainable) {
		t.Errorf("%d trainable parameters, want %d", n, golden.Trainable)
	}
	clear(base)
	for name, start := range map[string]struct {
		adapter map[string]weights.Array
		values  goldenValues
		trace   smolTrace
	}{
		"zero B":   {golden.adapter(t, trained, false), golden.Zero, golden.TraceZero},
		"seeded B": {seeded, golden.Seeded, golden.TraceSeeded},
	} {
		must(t, p.SetState(p.fresh(start.adapter)))
		grads, loss, err := p.Gradients(Batch{B: 1, T: len(golden.IDs), IDs: golden.IDs, Labels: golden.IDs})
		must(t, err)
		check(t, name+": loss", loss, start.values.Loss, smolLossTolerance)
		total := 0.0
		for key, g := range grads {
			norm := length(g.Data)
			total += norm * norm
			check(t, name+": gradient norm of "+key, norm, start.values.Norms[key], smolNormTolerance*start.values.Norms[key])
		}
		check(t, name+": gradient norm", math.Sqrt(total), start.values.Norm, smolNormTolerance*start.values.Norm)
		golden.check(t, name, p, start.trace)
	}
}

func (g smolGolden) check(t *testing.T, name string, p *Program, trace smolTrace) {
	t.Helper()
	val := func() float64 {
		sum, n, err := p.Evaluate(whole(g.Batches.Val))
		must(t, err)
		return sum / float64(n)
	}
	check(t, name+": val before", val(), trace.Before, smolLossTolerance)
	for i, want := range trace.Loss {
		r, err := p.Step(i+1, []Batch{whole(g.Batches.Train[i])}, trace.LR[i])
		must(t, err)
		check(t, name+": loss of a step", r.Loss, want, smolLossTolerance)
		check(t, name+": norm of a step", r.GradNorm, trace.Norm[i], smolNormTolerance*trace.Norm[i])
	}
	check(t, name+": val after", val(), trace.After, smolLossTolerance)
	s, err := p.State()
	must(t, err)
	for key, want := range trace.FinalNorms {
		check(t, name+": norm of "+key, length(s.Adapter[key].Data), want, smolNormTolerance*want)
	}
	if len(trace.Final) == 0 {
		t.Error("the golden trace has no final values")
	}
	for key, want := range trace.Final {
		if got := s.Adapter[key].Data[:len(want)]; maxDiff(got, want) > weightTolerance {
			t.Errorf("%s: %s begins %v, want %v", name, key, got, want)
		}
	}
}

func length(v []float32) float64 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}

// whole is a batch whose every token is supervised.
func whole(ids matrix) Batch {
	return Batch{B: len(ids), T: len(ids[0]), IDs: ids.flat(), Labels: ids.flat()}
}

// adapter fills the tensors with the reference's hash of their place (lora.json, "fill").
func (g smolGolden) adapter(t *testing.T, trained []lora.Trainable, seedB bool) map[string]weights.Array {
	t.Helper()
	adapter := map[string]weights.Array{}
	for _, s := range trained {
		a := weights.Array{Shape: s.Shape, Data: make([]float32, s.Size())}
		scale := g.Scale["lora_"+string(s.Role)]
		for k := range a.Data {
			h := uint32(k+g.Salts[s.Key]*1000003) * 2654435761
			h ^= h >> 15
			h *= 2246822519
			h ^= h >> 13
			a.Data[k] = float32(scale * (2*float64(h)/(1<<32) - 1))
		}
		if want := g.First[s.Key]; want != nil && maxDiff(a.Data[:len(want)], want) > 0 {
			t.Fatalf("%s begins %v, want %v", s.Key, a.Data[:len(want)], want)
		}
		if s.Role == lora.RoleB && !seedB {
			clear(a.Data)
		}
		adapter[s.Key] = a
	}
	return adapter
}
