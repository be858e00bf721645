package model

import (
	"syscall"
	"testing"
	"time"

	"github.com/gomlx/compute"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// gpt2Small is the architecture of openai-community/gpt2.
func gpt2Small() Config {
	return Config{
		Architecture: "gpt2", VocabSize: 50257, Positions: 1024, Embed: 768, Layers: 12, Heads: 12, KVHeads: 12, HeadDim: 64, Inner: 3072,
		Activation: "gelu_new", Epsilon: 1e-5, TieHead: true, ScaleScores: true,
	}
}

// gopherShape is the architecture of the embedded base model.
func gopherShape() Config {
	return Config{
		Architecture: "gpt2", VocabSize: 2048, Positions: 128, Embed: 128, Layers: 4, Heads: 4, KVHeads: 4, HeadDim: 32, Inner: 512,
		Activation: "gelu_new", Epsilon: 1e-5, TieHead: true, ScaleScores: true,
	}
}

// BenchmarkStep measures the training step of the two shapes that the project compares with PyTorch and PEFT: random
// weights, r=8 on c_attn, dropout 0, float32.
func BenchmarkStep(b *testing.B) {
	b.Run("gpt2-small B=4 T=128", func(b *testing.B) { benchmarkStep(b, xlaCPU(b), gpt2Small(), 4, 128, "float32") })
	b.Run("gopher B=8 T=64", func(b *testing.B) { benchmarkStep(b, xlaCPU(b), gopherShape(), 8, 64, "float32") })
	b.Run("gpt2-small bf16 B=4 T=128", func(b *testing.B) { benchmarkStep(b, xlaCPU(b), gpt2Small(), 4, 128, "bfloat16") })
	b.Run("gopher go B=8 T=64", func(b *testing.B) { benchmarkStep(b, pureGo(b), gopherShape(), 8, 64, "float32") })
}

func benchmarkStep(b *testing.B, be compute.Backend, c Config, B, T int, dtype string) {
	b.Helper()
	targets, err := lora.MatchTargets(c.Modules(), lora.Targets{List: []string{"c_attn"}})
	must(b, err)
	o := Options{
		LoRA:    lora.Spec{Rank: 8, Alpha: 16, Init: lora.InitKaiming},
		Train:   trial.TrainSpec{BatchSize: B, WeightDecay: 0.01, MaxGradNorm: 1, Dtype: dtype},
		Targets: targets, SequenceLength: T,
	}
	p, err := New(be, c, c.InitWeights(1), initAdapter(b, c, nil, targets, o.LoRA, 1), o)
	must(b, err)
	defer p.Close()
	batch := countingBatch(B, T, c.VocabSize)
	_, err = p.Step(1, []Batch{batch}, 0) // compiles
	must(b, err)
	cpu, step := cpuSeconds(b), 0
	for b.Loop() {
		step++
		_, err := p.Step(step, []Batch{batch}, 1e-4)
		must(b, err)
	}
	b.ReportMetric((cpuSeconds(b)-cpu)*1e3/float64(step), "cpu-ms/op")
	b.ReportMetric(float64(step*B*T)/b.Elapsed().Seconds(), "tokens/s")
	if n, ok := p.AnalysisBytes(); ok {
		b.ReportMetric(float64(n)/1e6, "MB-analysed")
	}
}

// cpuSeconds is the process's CPU time: a measure that neighbours on the machine disturb less than the clock.
func cpuSeconds(b *testing.B) float64 {
	b.Helper()
	var r syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &r))
	return (time.Duration(r.Utime.Nano()) + time.Duration(r.Stime.Nano())).Seconds()
}
