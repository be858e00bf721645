package model

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/float16"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// formats are those of blocks.
func formats() []string {
	return []string{"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K", weights.NF4, weights.INT8}
}

// randomBlocks returns a matrix in blocks of random codes, whose values are those of a fresh weight in size.
func randomBlocks(format string, random *rand.Rand, dims ...int) weights.Array {
	planes, values := weights.Planes(format)
	var bytes []byte
	for range size(dims) / values {
		for _, p := range planes {
			switch p.Kind {
			case dtypes.Float16:
				bytes = binary.LittleEndian.AppendUint16(bytes, float16.FromFloat32(1e-3*(1+random.Float32())).Bits())
			case dtypes.Float32:
				bytes = binary.LittleEndian.AppendUint32(bytes, math.Float32bits(1e-3*(1+random.Float32())))
			default:
				for range p.N {
					bytes = append(bytes, byte(random.Uint32()))
				}
			}
		}
	}
	return weights.Array{Shape: dims, Blocks: &weights.Blocks{Format: format, Bytes: bytes}}
}

// TestDequantise: the graph's values are the reader's, which are llama.cpp's.
func TestDequantise(t *testing.T) {
	t.Parallel()
	for name, be := range backends() {
		for _, format := range formats() {
			t.Run(name+"/"+format, func(t *testing.T) {
				t.Parallel()
				d := device{be(t)}
				base := map[string]weights.Array{"w": randomBlocks(format, rand.New(rand.NewPCG(1, 2)), 6, 512)}
				f := newFrozenBase([]TensorSpec{{"w", []int{6, 512}}}, base, dtypes.Float32)
				in, err := f.upload(d, base)
				must(t, err)
				e, err := d.build("dequantise", append(f.shapes(), f32(1)), func(in []*Node) []*Node {
					_, quantised := f.nodes(in)
					last := in[len(in)-1]
					q, x := quantised["w"], MulScalar(Iota(last.Graph(), f32(2, 512), 1), 1.0/512)
					return []*Node{
						q.weight(last), q.rows(Iota(last.Graph(), i32(3), 0)), q.logits(x, 4), dot(x, 1, q.weight(last), 1),
					}
				})
				must(t, err)
				after, err := d.upload([]float32{1}, dtypes.Float32, 1)
				must(t, err)
				out, err := e.run(append(in, after), nil)
				must(t, err)
				got, err := read(out[0], 6*512)
				must(t, err)
				rows, err := read(out[1], 3*512)
				must(t, err)
				logits, err := read(out[2], 2*6)
				must(t, err)
				whole, err := read(out[3], 2*6)
				must(t, err)
				if d := maxDiff(logits, whole); d > 1e-3 { // of 200
					t.Errorf("logits in pieces %v, as a whole %v", logits, whole)
				}
				want := base["w"].Float32().Data
				// One rounding where XLA fuses a product and a sum.
				if d := maxDiff(got, want); d > 1e-7 {
					t.Errorf("values differ by %g", d)
				}
				if d := maxDiff(rows, want[:3*512]); d > 1e-7 {
					t.Errorf("rows differ by %g", d)
				}
			})
		}
	}
}

// TestTrainOnBlocks: training on a base that stays quantised is training on its values.
func TestTrainOnBlocks(t *testing.T) {
	t.Parallel()
	spec := lora.Spec{Rank: 4, Alpha: 8, TargetModules: lora.Targets{Pattern: lora.AllLinear}}
	dora, pissa, head := spec, spec, spec
	dora.UseDoRA, dora.Dropout = true, 0.2
	pissa.Init = lora.InitPiSSA
	head.TargetModules = lora.Targets{List: []string{"q_proj", "lm_head"}}
	head.ModulesToSave = []string{"embed_tokens"}
	for name, c := range map[string]struct {
		format        string
		spec          lora.Spec
		checkpointing bool
	}{
		"Q4_1":               {"Q4_1", spec, false},
		"checkpointing":      {weights.NF4, spec, true},
		"dora":               {"Q8_0", dora, false},
		"pissa":              {weights.INT8, pissa, false},
		"embedding and head": {"Q4_K", head, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config, err := ParseConfig([]byte(`{"model_type": "llama", "vocab_size": 96, "hidden_size": 256, "intermediate_size": 256,
				"num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 64, "tie_word_embeddings": true}`))
			must(t, err)
			base, numbers := config.InitWeights(1), map[string]weights.Array{}
			random := rand.New(rand.NewPCG(3, 4))
			for _, s := range config.Tensors() {
				if len(s.Shape) == 2 {
					base[s.Name] = randomBlocks(c.format, random, s.Shape...)
				}
				numbers[s.Name] = base[s.Name].Float32()
			}
			got, want := lossesOn(t, config, base, c.spec, c.checkpointing), lossesOn(t, config, numbers, c.spec, c.checkpointing)
			if d := maxDiff64(got, want); d > 1e-5 {
				t.Errorf("losses %v, on the values %v", got, want)
			}
		})
	}
}

// TestBlocksAreNumbersOneAtATime: what a step needs for a while does not hold the numbers of all its weights, with the forward pass
// computed once or twice.
func TestBlocksAreNumbersOneAtATime(t *testing.T) {
	t.Parallel()
	config, err := ParseConfig([]byte(`{"model_type": "llama", "vocab_size": 96, "hidden_size": 256, "intermediate_size": 512,
		"num_hidden_layers": 3, "num_attention_heads": 2, "max_position_embeddings": 64, "tie_word_embeddings": true}`))
	must(t, err)
	base := config.InitWeights(1)
	numbers := int64(0)
	for _, m := range config.Modules() {
		if !m.Embedding && !m.Head {
			base[m.Name+".weight"], err = weights.Quantise(base[m.Name+".weight"], weights.NF4)
			must(t, err)
			numbers += int64(4 * m.In * m.Out)
		}
	}
	l := lora.Spec{Rank: 4, Alpha: 8, TargetModules: lora.Targets{Pattern: lora.AllLinear}}
	dora := l
	dora.UseDoRA, dora.Dropout = true, 0.1
	temporaries := func(base map[string]weights.Array, l lora.Spec, checkpointing bool) int64 {
		p := newOnBlocks(t, config, base, l, checkpointing)
		defer p.Close()
		e, err := p.gradientFor(2, 16)
		must(t, err)
		s, ok := e.stats()
		if !ok {
			t.Fatal("the plug-in tells no temporaries")
		}
		return s.temporary
	}
	for _, l := range []lora.Spec{l, dora} {
		for _, checkpointing := range []bool{false, true} {
			got, beside := temporaries(base, l, checkpointing), temporaries(config.InitWeights(1), l, checkpointing)
			if got > beside+numbers/2 { // DoRA's lengths need them once more
				t.Errorf("DoRA %v, checkpointing %v: %d bytes of temporaries beside %d bytes of weights, and %d where these are numbers",
					l.UseDoRA, checkpointing, got, numbers, beside)
			}
		}
	}
}

func maxDiff64(a, b []float64) float64 {
	d := 0.0
	for i := range a {
		d = max(d, math.Abs(a[i]-b[i]))
	}
	return d
}

// lossesOn trains a few steps and returns their losses, their gradients' norms and the loss after them.
func lossesOn(t *testing.T, c Config, base map[string]weights.Array, l lora.Spec, checkpointing bool) []float64 {
	t.Helper()
	p := newOnBlocks(t, c, base, l, checkpointing)
	defer p.Close()
	b := Batch{B: 2, T: 16}
	for i := range 32 {
		b.IDs = append(b.IDs, int32(i*i%96))
	}
	b.Labels = b.IDs
	var all []float64
	for step := 1; step <= 2; step++ {
		r, err := p.Step(step, []Batch{b}, 1e-2)
		must(t, err)
		all = append(all, r.Loss, r.GradNorm)
	}
	s, err := p.Score(b)
	must(t, err)
	if !(all[2] < all[0]) {
		t.Errorf("losses do not fall: %v", all)
	}
	return append(all, s.LossSum/float64(s.Tokens))
}

func newOnBlocks(t *testing.T, c Config, base map[string]weights.Array, l lora.Spec, checkpointing bool) *Program {
	t.Helper()
	targets, err := l.Match(c.Modules())
	must(t, err)
	adapter, err := InitAdapter(c, base, targets, l, 1)
	must(t, err)
	train := trial.TrainSpec{BatchSize: 2, Dtype: trial.DtypeFloat32, GradientCheckpointing: checkpointing}
	p, err := New(xlaCPU(t), c, base, adapter, Options{LoRA: l, Train: train, Targets: targets, SequenceLength: 16, Seed: 1})
	must(t, err)
	return p
}
