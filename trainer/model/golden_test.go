package model

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
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

func TestForwardGolden(t *testing.T) {
	t.Parallel()
	want := readTensors(t, filepath.Join(tiny, "forward.safetensors"))
	in := tinyInputs(t)
	for _, files := range []struct{ name, config, dir string }{
		{"prefix", "config.json", tiny},
		{"no prefix", "noprefix/config.json", tiny + "/noprefix"},
		{"transformers 4 config", "config_v4style.json", tiny},
	} {
		t.Run(files.name, func(t *testing.T) {
			t.Parallel()
			onBackends(t, func(t *testing.T, be compute.Backend) {
				c := readConfig(t, filepath.Join(tiny, files.config))
				o := tinyOptions(t, 4)
				p, err := New(be, c, readBase(t, files.dir, c), InitAdapter(o.Targets, o.LoRA, 1), o)
				must(t, err)
				t.Cleanup(p.Close)
				checkLogits(t, p, in, want)
				checkStates(t, p, in.batch(t), want)
				checkLosses(t, p, in, want)
			})
		})
	}
}

func checkLogits(t *testing.T, p *Program, in inputs, want map[string]weights.Array) {
	t.Helper()
	logits, err := p.Logits(in.batch(t))
	must(t, err)
	if d := maxDiff(logits.Data, want["logits"].Data); d > logitsTolerance {
		t.Errorf("logits differ by %g", d)
	}
	padded := in.Padded.batch(t)
	logits, err = p.Logits(padded)
	must(t, err)
	for row, n := range []int{16, 11} { // real tokens of the two rows
		from := row * padded.T * p.config.VocabSize
		to := from + n*p.config.VocabSize
		if d := maxDiff(logits.Data[from:to], want["right_padded.logits"].Data[from:to]); d > logitsTolerance {
			t.Errorf("padded logits of row %d differ by %g", row, d)
		}
	}
	logits, err = p.Logits(in.Long.batch(t))
	must(t, err)
	if d := maxDiff(logits.Data[127*p.config.VocabSize:], want["long.last_logits"].Data); d > logitsTolerance {
		t.Errorf("last logits of 128 differ by %g", d)
	}
}

func checkStates(t *testing.T, p *Program, b Batch, want map[string]weights.Array) {
	t.Helper()
	in := append(p.baseShapes(), i32(b.B, b.T))
	exec, err := p.build("states", in, func(in []*Node) []*Node {
		base := in[:len(in)-1]
		return trunk{Config: p.config, tensors: newLayout(p.config.Tensors()).named(base)}.states(in[len(in)-1])
	})
	must(t, err)
	ids, err := p.upload(b.IDs, dtypes.Int32, b.B, b.T)
	must(t, err)
	states, err := exec.run(append(slices.Clone(p.base), ids), nil)
	must(t, err)
	for i, s := range states {
		flat, err := read(s, b.B*b.T*p.config.Embed)
		must(t, err)
		if d := maxDiff(flat, want[fmt.Sprintf("hidden_states.%d", i)].Data); d > hiddenTolerance {
			t.Errorf("hidden_states.%d differ by %g", i, d)
		}
	}
	finalizeAll(append(states, ids)...)
	exec.finalize()
}

func checkLosses(t *testing.T, p *Program, in inputs, want map[string]weights.Array) {
	t.Helper()
	var golden struct {
		Loss   float64
		Plain  float64                `json:"loss_nothing_masked"`
		Padded struct{ Loss float64 } `json:"right_padded"`
		Long   struct{ Loss float64 }
	}
	readJSON(t, filepath.Join(tiny, "forward.json"), &golden)
	unmasked := in.batch(t)
	unmasked.Labels = unmasked.IDs
	for _, c := range []struct {
		what string
		b    Batch
		want float64
	}{
		{"loss", in.batch(t), golden.Loss},
		{"loss with nothing masked", unmasked, golden.Plain},
		{"padded loss", in.Padded.batch(t), golden.Padded.Loss},
		{"loss of 128", in.Long.batch(t), golden.Long.Loss},
	} {
		sum, n, err := p.Evaluate(c.b)
		must(t, err)
		check(t, c.what, sum/float64(n), c.want, lossTolerance)
	}
	nll, pl, err := p.nll(unmasked)
	must(t, err)
	if d := maxDiff(nll[:pl.tokens], want["nll"].Data); d > lossTolerance {
		t.Errorf("nll differs by %g", d)
	}
}

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

// onGoldenCases runs a test for every case and start, on both backends.
func onGoldenCases(t *testing.T, test func(t *testing.T, be compute.Backend, c goldenCase, start string)) {
	t.Helper()
	for _, c := range goldenCases(t) {
		for _, start := range []string{"zero_B", "seeded_B"} {
			t.Run(filepath.Base(c.dir)+"/"+start, func(t *testing.T) {
				t.Parallel()
				onBackends(t, func(t *testing.T, be compute.Backend) { test(t, be, c, start) })
			})
		}
	}
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

func TestGradientsGolden(t *testing.T) {
	t.Parallel()
	onGoldenCases(t, func(t *testing.T, be compute.Backend, c goldenCase, start string) {
		p := newTiny(t, be, c.start(t, start), c.options(t))
		b := tinyInputs(t).batch(t)
		grads, loss, err := p.Gradients(b)
		must(t, err)
		want := c.Zero
		if start == "seeded_B" {
			want = c.Seeded
			logits, err := p.Logits(b)
			must(t, err)
			golden := readTensors(t, c.dir+"/logits_seeded_B.safetensors")
			for _, a := range golden {
				if d := maxDiff(logits.Data, a.Data); d > logitsTolerance {
					t.Errorf("logits differ by %g", d)
				}
			}
		}
		check(t, "loss", loss, want.Loss, lossTolerance)
		checkTensors(t, "gradient", grads, readTensors(t, c.dir+"/grads_"+start+".safetensors"), gradientTolerance)
		r, err := p.Step(1, []Batch{b}, 0)
		must(t, err)
		check(t, "grad norm", r.GradNorm, want.Norm, normTolerance*want.Norm)
		if int(r.Tokens) != 22 {
			t.Errorf("tokens = %d, want 22", r.Tokens)
		}
	})
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

func TestTraceGolden(t *testing.T) {
	t.Parallel()
	var batches goldenBatches
	readJSON(t, "testdata/lora/batches.json", &batches)
	onGoldenCases(t, func(t *testing.T, be compute.Backend, c goldenCase, start string) {
		var traces map[string]goldenTrace
		readTrace(t, c.dir+"/trace.json", &traces)
		trace := traces[start]
		p := newTiny(t, be, c.start(t, start), c.options(t))
		vals := map[int]float64{}
		for _, v := range trace.Val {
			vals[v.After] = v.Loss
		}
		for step := 0; step <= len(trace.Loss); step++ {
			if want, ok := vals[step]; ok {
				sum, n, err := p.Evaluate(batches.Val.batch(t))
				must(t, err)
				check(t, fmt.Sprintf("val after %d", step), sum/float64(n), want, lossTolerance)
			}
			if start == "zero_B" && (step == 2 || step == 10) {
				checkSnapshot(t, p, c, step)
			}
			if step == len(trace.Loss) {
				break
			}
			r, err := p.Step(step+1, []Batch{batches.Train[step].batch(t)}, trace.LR[step])
			must(t, err)
			check(t, fmt.Sprintf("loss of step %d", step+1), r.Loss, trace.Loss[step], lossTolerance)
			check(t, fmt.Sprintf("norm of step %d", step+1), r.GradNorm, trace.Norm[step], normTolerance*trace.Norm[step])
		}
		checkFinal(t, p, c, start)
	})
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

// readTrace reads the two starts of a trace file and skips its notes.
func readTrace(t *testing.T, path string, into *map[string]goldenTrace) {
	t.Helper()
	var file struct {
		Zero   goldenTrace `json:"zero_B"`
		Seeded goldenTrace `json:"seeded_B"`
	}
	readJSON(t, path, &file)
	*into = map[string]goldenTrace{"zero_B": file.Zero, "seeded_B": file.Seeded}
}
