package model

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// Tolerances against float32 PyTorch. Each is about ten times the worst difference between float32 PyTorch and the same
// computation in float64 (given after it), because another float32 program may round as far from the truth, on the other
// side. Loss alone would hide a wrong GELU (1e-4) or norm epsilon (1e-5), so logits are compared too (1e-3 for either).
const (
	logitsTolerance   = 1e-4 // 7e-6, |x| up to 7.5
	hiddenTolerance   = 1e-4 // of the logits' order
	lossTolerance     = 2e-5 // 2e-6, losses of 7 to 8
	gradientTolerance = 1e-5 // 8e-7, gradients up to 1
	normTolerance     = 1e-5 // 4e-7, relative
	weightTolerance   = 5e-5 // 1e-6, weights that moved by 1e-2
	momentTolerance   = 1e-5 // moments are averages of gradients: as those
)

// goldenCase is a case.json.
type goldenCase struct {
	dir  string
	Peft struct {
		Rank    int           `json:"r"`
		Alpha   float64       `json:"lora_alpha"`
		Targets sweep.Targets `json:"target_modules"`
	} `json:"peft_config"`
	Names     []string     `json:"targeted_module_names"`
	Trainable int64        `json:"trainable_params"`
	Zero      goldenValues `json:"zero_B"`
	Seeded    goldenValues `json:"seeded_B"`
}

type goldenValues struct {
	Loss float64 `json:"loss"`
	Norm float64 `json:"grad_norm_total"`
}

// goldenCases are the PEFT cases this architecture trains.
func goldenCases(t *testing.T) []goldenCase {
	t.Helper()
	var cases []goldenCase
	for _, name := range []string{"gpt2_c_attn_r8", "gpt2_attn_mlp_r4", "gpt2_all_linear_r4"} {
		c := goldenCase{dir: "testdata/lora/" + name}
		readJSON(t, c.dir+"/case.json", &c)
		cases = append(cases, c)
	}
	return cases
}

func (c goldenCase) options(t testing.TB) Options {
	t.Helper()
	o := tinyOptions(t, c.Peft.Rank)
	var err error
	o.Targets, err = Match(tinyConfig(t).Modules(), c.Peft.Targets)
	must(t, err)
	o.LoRA.Alpha = c.Peft.Alpha
	return o
}

// start returns the adapter of zero_B or seeded_B.
func (c goldenCase) start(t testing.TB, start string) map[string]weights.Array {
	t.Helper()
	if start == "zero_B" {
		return readTensors(t, c.dir+"/init.safetensors")
	}
	return readTensors(t, c.dir+"/seeded.safetensors")
}

func TestMatchGolden(t *testing.T) {
	t.Parallel()
	for _, c := range goldenCases(t) {
		var names []string
		o := c.options(t)
		for _, m := range o.Targets {
			names = append(names, m.Name)
		}
		if !slices.Equal(names, c.Names) {
			t.Errorf("%s: Match = %v, want %v", c.dir, names, c.Names)
		}
		if n := int64(newLayout(adapterSpecs(o.Targets, o.LoRA.Rank)).total); n != c.Trainable {
			t.Errorf("%s: %d trainable parameters, want %d", c.dir, n, c.Trainable)
		}
	}
}

// TestTrainingGolden trains every case from both starts, on both backends.
func TestTrainingGolden(t *testing.T) {
	t.Parallel()
	var batches goldenBatches
	readJSON(t, "testdata/lora/batches.json", &batches)
	for _, c := range goldenCases(t) {
		t.Run(filepath.Base(c.dir), func(t *testing.T) {
			t.Parallel()
			for platform, open := range backends() {
				t.Run(platform, func(t *testing.T) {
					t.Parallel()
					be := open(t)
					p := newTiny(t, be, c.start(t, "zero_B"), c.options(t))
					for _, start := range []string{"zero_B", "seeded_B"} {
						must(t, p.SetState(p.fresh(c.start(t, start))))
						checkGradients(t, p, c, start)
						checkTrace(t, p, c, start, batches)
					}
				})
			}
		})
	}
}

func checkGradients(t *testing.T, p *Program, c goldenCase, start string) {
	t.Helper()
	b := tinyInputs(t).batch(t)
	grads, loss, err := p.Gradients(b)
	must(t, err)
	want := c.Zero
	if start == "seeded_B" {
		want = c.Seeded
		logits, err := p.Logits(b)
		must(t, err)
		if d := maxDiff(logits.Data, readTensors(t, c.dir+"/logits_seeded_B.safetensors")["logits"].Data); d > logitsTolerance {
			t.Errorf("%s: logits differ by %g", start, d)
		}
	}
	check(t, start+": loss", loss, want.Loss, lossTolerance)
	checkTensors(t, start+": gradient", grads, readTensors(t, c.dir+"/grads_"+start+".safetensors"), gradientTolerance)
	norm := 0.0
	for _, g := range grads {
		for _, v := range g.Data {
			norm += float64(v) * float64(v)
		}
	}
	check(t, start+": grad norm", math.Sqrt(norm), want.Norm, normTolerance*want.Norm)
}

// goldenTrace is one start of a trace.json: 20 AdamW steps.
type goldenTrace struct {
	Loss []float64 `json:"loss"`
	Norm []float64 `json:"grad_norm"`
	LR   []float64 `json:"lr"`
	Val  []struct {
		After int     `json:"after_steps"`
		Loss  float64 `json:"loss"`
	} `json:"val"`
}

type goldenBatches struct {
	Train []jsonBatch
	Val   jsonBatch
}

func checkTrace(t *testing.T, p *Program, c goldenCase, start string, batches goldenBatches) {
	t.Helper()
	var traces struct {
		Zero   goldenTrace `json:"zero_B"`
		Seeded goldenTrace `json:"seeded_B"`
	}
	readJSON(t, c.dir+"/trace.json", &traces)
	trace := traces.Zero
	if start == "seeded_B" {
		trace = traces.Seeded
	}
	vals := map[int]float64{}
	for _, v := range trace.Val {
		vals[v.After] = v.Loss
	}
	for done := range len(trace.Loss) + 1 {
		if want, ok := vals[done]; ok {
			sum, n, err := p.Evaluate(batches.Val.batch(t))
			must(t, err)
			check(t, fmt.Sprintf("%s: val after %d", start, done), sum/float64(n), want, lossTolerance)
		}
		if start == "zero_B" && (done == 2 || done == 10) {
			checkSnapshot(t, p, c, done)
		}
		if done == len(trace.Loss) {
			break
		}
		r, err := p.Step(done+1, []Batch{batches.Train[done].batch(t)}, trace.LR[done])
		must(t, err)
		what := fmt.Sprintf("%s: step %d", start, done+1)
		check(t, what+" loss", r.Loss, trace.Loss[done], lossTolerance)
		check(t, what+" norm", r.GradNorm, trace.Norm[done], normTolerance*trace.Norm[done])
	}
	checkFinal(t, p, c, start)
}

func checkSnapshot(t *testing.T, p *Program, c goldenCase, step int) {
	t.Helper()
	want := part(readTensors(t, c.dir+"/snapshots_zero_B.safetensors"), fmt.Sprintf("step_%02d/", step))
	s, err := p.State()
	must(t, err)
	checkTensors(t, fmt.Sprintf("snapshot after %d", step), s.Adapter, want, weightTolerance)
}

func checkFinal(t *testing.T, p *Program, c goldenCase, start string) {
	t.Helper()
	s, err := p.State()
	must(t, err)
	want := readTensors(t, c.dir+"/final_"+start+"/adapter_model.safetensors")
	checkTensors(t, "final adapter", s.Adapter, want, weightTolerance)
	if start != "zero_B" || !strings.HasSuffix(c.dir, "gpt2_c_attn_r8") {
		return
	}
	adam := readTensors(t, c.dir+"/adam_state_after_20_zero_B.safetensors")
	checkTensors(t, "first moments", s.M, part(adam, "exp_avg/"), momentTolerance)
	checkTensors(t, "second moments", s.V, part(adam, "exp_avg_sq/"), momentTolerance)
}

// part returns the tensors below a prefix, without it.
func part(tensors map[string]weights.Array, prefix string) map[string]weights.Array {
	below := map[string]weights.Array{}
	for name, a := range tensors {
		if key, ok := strings.CutPrefix(name, prefix); ok {
			below[key] = a
		}
	}
	return below
}
