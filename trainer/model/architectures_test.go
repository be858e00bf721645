package model

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// architectureCase is a case.json of testdata/architectures.py.
type architectureCase struct {
	dir   string
	Peft  weights.AdapterConfig `json:"peft_config"`
	Names []string              `json:"targeted_module_names"`
	Batch packedBatch
	Loss  float64
	Norm  float64 `json:"grad_norm"`
	Train []packedBatch
	Trace []struct {
		Loss float64
		Norm float64 `json:"grad_norm"`
		LR   float64 `json:"lr"`
	}
	golden map[string]weights.Array
}

type packedBatch struct {
	jsonBatch
	Segments matrix
}

func (p packedBatch) batch(t testing.TB) Batch {
	t.Helper()
	b := p.jsonBatch.batch(t)
	b.Segments = p.Segments.flat()
	return b
}

// TestArchitecturesGolden compares a small model of each architecture, with LoRA on every linear module, with PEFT: logits, gradients
// and 20 steps, on rows that hold one document and two.
func TestArchitecturesGolden(t *testing.T) {
	t.Parallel()
	dirs, err := filepath.Glob("testdata/architectures/*")
	must(t, err)
	if len(dirs) < 11 {
		t.Fatalf("architectures: %v", dirs)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			c := architectureCase{dir: dir, golden: readTensors(t, filepath.Join(dir, "golden.safetensors"))}
			readJSON(t, filepath.Join(dir, "case.json"), &c)
			for platform, open := range backends() {
				t.Run(platform, func(t *testing.T) {
					t.Parallel()
					p := c.program(t, open(t))
					c.checkStart(t, p)
					c.checkTrace(t, p)
					if want, ok := c.golden["bfloat16.embedded"]; ok {
						c.checkEmbedded(t, p, want.Data)
					}
				})
			}
		})
	}
}

func (c architectureCase) program(t *testing.T, be compute.Backend) *Program {
	t.Helper()
	config := readConfig(t, filepath.Join(c.dir, "config.json"))
	o := Options{
		LoRA: c.Peft.Spec(), Train: trial.TrainSpec{BatchSize: 2, WeightDecay: 0.01, MaxGradNorm: 1}, SequenceLength: len(c.Batch.IDs[0]),
	}
	var err error
	o.Targets, err = o.LoRA.Match(config.Modules())
	must(t, err)
	var names []string
	for _, m := range o.Targets {
		names = append(names, m.Name)
	}
	if !slices.Equal(names, c.Names) {
		t.Errorf("targets %v, want %v", names, c.Names)
	}
	return newProgram(t, be, config, readBase(t, c.dir, config), part(c.golden, "seeded/"), o)
}

func (c architectureCase) checkStart(t *testing.T, p *Program) {
	t.Helper()
	b := c.Batch.batch(t)
	logits, err := p.Logits(b)
	must(t, err)
	if d := maxDiff(logits.Data, c.golden["logits"].Data); d > logitsTolerance {
		t.Errorf("logits differ by %g", d)
	}
	grads, loss, err := p.Gradients(b)
	must(t, err)
	check(t, "loss", loss, c.Loss, lossTolerance)
	checkTensors(t, "gradient", grads, part(c.golden, "gradient/"), gradientTolerance)
	total := 0.0
	for _, g := range grads {
		for _, v := range g.Data {
			total += float64(v) * float64(v)
		}
	}
	check(t, "grad norm", math.Sqrt(total), c.Norm, normTolerance*c.Norm)
}

func (c architectureCase) checkTrace(t *testing.T, p *Program) {
	t.Helper()
	for i, want := range c.Trace {
		r, err := p.Step(i+1, []Batch{c.Train[i].batch(t)}, want.LR)
		must(t, err)
		check(t, fmt.Sprintf("loss of step %d", i+1), r.Loss, want.Loss, lossTolerance)
		check(t, fmt.Sprintf("norm of step %d", i+1), r.GradNorm, want.Norm, normTolerance*want.Norm)
	}
	s, err := p.State()
	must(t, err)
	checkTensors(t, "final adapter", s.Adapter, part(c.golden, "final/"), weightTolerance)
}

// checkEmbedded: the embedded tokens in bfloat16 are torch's in every bit, so factors are rounded where torch rounds them.
func (c architectureCase) checkEmbedded(t *testing.T, p *Program, want []float32) {
	t.Helper()
	b, name := c.Batch.batch(t), p.config.arch().tokens+".weight"
	table := readBase(t, c.dir, p.config)[name]
	exec, err := p.build("embedding", []shape{f32(table.Shape...), i32(b.B, b.T)}, func(in []*Node) []*Node {
		m := newTrunk(p.config, map[string]*Node{name: ConvertDType(in[0], dtypes.BFloat16)}, nil)
		return []*Node{ConvertDType(m.arch.begin(m, places{ids: in[1]}), dtypes.Float32)}
	})
	must(t, err)
	defer exec.finalize()
	weight, err := p.upload(table.Data, dtypes.Float32, table.Shape...)
	must(t, err)
	ids, err := p.upload(b.IDs, dtypes.Int32, b.B, b.T)
	must(t, err)
	out, err := exec.run([]compute.Buffer{weight, ids}, nil)
	must(t, err)
	defer finalizeAll(weight, ids, out[0])
	got, err := read(out[0], len(want))
	must(t, err)
	if d := maxDiff(got, want); d != 0 {
		t.Errorf("embedded tokens in bfloat16 differ by %g", d)
	}
}
