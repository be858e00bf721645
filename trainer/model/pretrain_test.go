package model

import (
	"math"
	"testing"
)

// smallConfig is a GPT-2 of a few thousand parameters.
func smallConfig() Config {
	return Config{
		Architecture: "gpt2", VocabSize: 50, Positions: 16, Embed: 16, Layers: 2, Heads: 2, KVHeads: 2, HeadDim: 8, Inner: 64,
		Activation: "gelu_new", Epsilon: 1e-5, TieHead: true, ScaleScores: true,
	}
}

// countingBatch holds rows that count upwards: something to learn.
func countingBatch(B, T, vocab int) Batch {
	b := Batch{B: B, T: T}
	for row := range B {
		for i := range T {
			b.IDs = append(b.IDs, int32((row*7+i)%vocab))
		}
	}
	b.Labels = b.IDs
	return b
}

func TestPretrainLearns(t *testing.T) {
	t.Parallel()
	for platform, open := range backends() {
		t.Run(platform, func(t *testing.T) {
			t.Parallel()
			be := open(t)
			p, err := NewPretrain(be, smallConfig(), PretrainOptions{WeightDecay: 0.01, MaxGradNorm: 1, Seed: 3})
			must(t, err)
			t.Cleanup(p.Close)
			b := countingBatch(4, 16, 50)
			first, err := p.Step(b, 1e-2)
			must(t, err)
			check(t, "first loss", first.Loss, math.Log(50), 0.05) // untrained: uniform over the vocabulary
			for range 40 {
				_, err = p.Step(b, 1e-2)
				must(t, err)
			}
			sum, n, err := p.Evaluate(b)
			must(t, err)
			if loss := sum / float64(n); !(loss < 0.5) {
				t.Errorf("loss after 41 steps = %g, want < 0.5", loss)
			}
			weights, err := p.Weights()
			must(t, err)
			must(t, smallConfig().check(weights))
		})
	}
}

// TestPretrainGradient compares the norm of the full gradient, which Step reports, with the slope of the loss along it.
func TestPretrainGradient(t *testing.T) {
	t.Parallel()
	for platform, open := range backends() {
		t.Run(platform, func(t *testing.T) {
			t.Parallel()
			be := open(t)
			p, err := NewPretrain(be, smallConfig(), PretrainOptions{Seed: 3})
			must(t, err)
			t.Cleanup(p.Close)
			b := countingBatch(4, 16, 50)
			first, err := p.Step(b, 0) // lr 0: the first moments are now 0.1·gradient
			must(t, err)
			s, err := p.State()
			must(t, err)
			const h = 1e-2
			at := func(move float64) float64 {
				for name, g := range s.M {
					for i := range g.Data {
						s.Adapter[name].Data[i] += float32(move * 10 * float64(g.Data[i]) / first.GradNorm)
					}
				}
				must(t, p.SetState(s))
				sum, n, err := p.Evaluate(b)
				must(t, err)
				return sum / float64(n)
			}
			up, down := at(h), at(-2*h)
			// The error is of order h², and float32's rounding of the loss over h: a percent is generous to both.
			check(t, "slope along the gradient", (up-down)/(2*h), first.GradNorm, 0.01*first.GradNorm)
		})
	}
}
