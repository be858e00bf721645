package model

import (
	"fmt"
	"slices"
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

// smolLM2 is the architecture of SmolLM2-135M.
func smolLM2() Config {
	return Config{
		Architecture: "llama", VocabSize: 49152, Positions: 2048, Embed: 576, Layers: 30, Heads: 9, KVHeads: 3, HeadDim: 64, Inner: 1536,
		Activation: "silu", Epsilon: 1e-5, TieHead: true, ScaleScores: true, Rope: Rope{Theta: 10000},
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
	p := benchmarkProgram(b, be, c, B, T, dtype)
	batch := countingBatch(B, T, c.VocabSize)
	_, err := p.Step(1, []Batch{batch}, 0) // compiles
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

// BenchmarkEvaluation measures steps and evaluations in turn, so that a busy machine slows down both: eval/train is how many times the
// tokens of a step an evaluation scores in the same time, by medians of the wall clock, and of processor time.
func BenchmarkEvaluation(b *testing.B) {
	for _, s := range []struct {
		name string
		c    Config
		B, T int
	}{{"gpt2-small", gpt2Small(), 4, 128}, {"smollm2", smolLM2(), 2, 256}, {"gopher", gopherShape(), 8, 64}} {
		b.Run(fmt.Sprintf("%s B=%d T=%d", s.name, s.B, s.T), func(b *testing.B) {
			p := benchmarkProgram(b, xlaCPU(b), s.c, s.B, s.T, "float32")
			train, held := countingBatch(s.B, s.T, s.c.VocabSize), countingBatch(p.EvaluationBatch(256, s.T), s.T, s.c.VocabSize)
			step := 0
			sides := [2]func(){
				func() { step++; _, err := p.Step(step, []Batch{train}, 1e-4); must(b, err) },
				func() { _, err := p.Score(held); must(b, err) },
			}
			sides[0]() // compiles
			sides[1]()
			tokens := [2]float64{float64(train.B * train.T), float64(held.B * held.T)}
			var wall, cpu [2][]float64
			for b.Loop() {
				for i, side := range sides {
					used, began := cpuSeconds(b), time.Now()
					side()
					wall[i] = append(wall[i], time.Since(began).Seconds()/tokens[i])
					cpu[i] = append(cpu[i], (cpuSeconds(b)-used)/tokens[i])
				}
			}
			middle := func(v []float64) float64 { return slices.Sorted(slices.Values(v))[len(v)/2] }
			b.ReportMetric(1/middle(wall[0]), "train-tokens/s")
			b.ReportMetric(1/middle(wall[1]), "eval-tokens/s")
			b.ReportMetric(middle(wall[0])/middle(wall[1]), "eval/train")
			b.ReportMetric(middle(cpu[0])/middle(cpu[1]), "eval/train-cpu")
		})
	}
}

// benchmarkProgram has random weights and r=8 on GPT-2's c_attn, or on all linear modules of another architecture.
func benchmarkProgram(b *testing.B, be compute.Backend, c Config, B, T int, dtype string) *Program {
	b.Helper()
	modules := lora.Targets{Pattern: lora.AllLinear}
	if c.Architecture == "gpt2" {
		modules = lora.Targets{List: []string{"c_attn"}}
	}
	targets, err := lora.MatchTargets(c.Modules(), modules)
	must(b, err)
	o := Options{
		LoRA:    lora.Spec{Rank: 8, Alpha: 16, Init: lora.InitKaiming},
		Train:   trial.TrainSpec{BatchSize: B, WeightDecay: 0.01, MaxGradNorm: 1, Dtype: dtype},
		Targets: targets, SequenceLength: T,
	}
	p, err := New(be, c, c.InitWeights(1), initAdapter(b, c, nil, targets, o.LoRA, 1), o)
	must(b, err)
	b.Cleanup(p.Close)
	return p
}

// cpuSeconds is the process's CPU time: a measure that neighbours on the machine disturb less than the clock.
func cpuSeconds(b *testing.B) float64 {
	b.Helper()
	var r syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &r))
	return (time.Duration(r.Utime.Nano()) + time.Duration(r.Stime.Nano())).Seconds()
}
