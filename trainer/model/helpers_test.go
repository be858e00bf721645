package model

import (
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/go-xla/compute/xla"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend/backendtest"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// openCPU opens the XLA CPU plug-in once.
//
//nolint:gochecknoglobals // a plug-in is loaded once per process
var openCPU = sync.OnceValues(func() (compute.Backend, error) {
	xla.EnableAutoInstall(false)
	return xla.NewWithOptions("cpu", nil)
})

// backends are those that every number is tested on.
func backends() map[string]func(testing.TB) compute.Backend {
	return map[string]func(testing.TB) compute.Backend{"xla:cpu": xlaCPU, "go": pureGo}
}

func xlaCPU(t testing.TB) compute.Backend {
	t.Helper()
	be, err := openCPU()
	if err != nil {
		t.Skipf("SKIPPED: no XLA CPU plug-in (pjrt_c_api_cpu_plugin.so; sweep backend install fetches it): %v", err)
	}
	return be
}

func pureGo(t testing.TB) compute.Backend {
	t.Helper()
	backendtest.NeedPureGo(t)
	be, err := gobackend.New("")
	if err != nil {
		t.Fatal(err)
	}
	return be
}

func readJSON(t testing.TB, path string, into any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func readTensors(t testing.TB, path string) map[string]weights.Array {
	t.Helper()
	tensors, err := weights.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return tensors
}

const tiny = "testdata/tiny-gpt2"

// tinyModels are the golden models, one of each architecture and tiny-llama3 with another head and other positions.
func tinyModels() []string {
	return []string{tiny, "testdata/tiny-llama", "testdata/tiny-llama3", "testdata/tiny-qwen2", "testdata/tiny-qwen3"}
}

func tinyConfig(t testing.TB) Config {
	t.Helper()
	return readConfig(t, filepath.Join(tiny, "config.json"))
}

func readConfig(t testing.TB, path string) Config {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseConfig(b)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// readBase reads a folder's weights under canonical names.
func readBase(t testing.TB, dir string, c Config) map[string]weights.Array {
	t.Helper()
	base, err := weights.ReadModelTo(os.DirFS(dir), c.Weights(), func(string, int64) io.Writer { return nil })
	if err != nil {
		t.Fatal(err)
	}
	return base
}

// matrix is a batch's JSON form.
type matrix [][]int32

func (m matrix) flat() []int32 {
	var flat []int32
	for _, row := range m {
		flat = append(flat, row...)
	}
	return flat
}

type jsonBatch struct {
	IDs    matrix          `json:"input_ids"`
	Labels json.RawMessage `json:"labels"`
}

func (j jsonBatch) batch(t testing.TB) Batch {
	t.Helper()
	b := Batch{B: len(j.IDs), T: len(j.IDs[0]), IDs: j.IDs.flat()}
	var labels matrix
	if json.Unmarshal(j.Labels, &labels) != nil { // "same as input_ids (nothing masked)"
		labels = j.IDs
	}
	b.Labels = labels.flat()
	return b
}

type inputs struct {
	jsonBatch
	Padded jsonBatch `json:"right_padded"`
	Long   jsonBatch `json:"long"`
}

func tinyInputs(t testing.TB) inputs {
	t.Helper()
	var in inputs
	readJSON(t, filepath.Join(tiny, "inputs.json"), &in)
	return in
}

// newTiny is a program on the golden base.
func newTiny(t testing.TB, be compute.Backend, adapter map[string]weights.Array, o Options) *Program {
	t.Helper()
	c := tinyConfig(t)
	return newProgram(t, be, c, readBase(t, tiny, c), adapter, o)
}

// newBare is a program on a folder's base with an adapter that adds nothing: rank 1 on every linear module, B = 0.
func newBare(t testing.TB, be compute.Backend, dir string) *Program {
	t.Helper()
	c := readConfig(t, filepath.Join(dir, "config.json"))
	return newBareOn(t, be, c, readBase(t, dir, c))
}

func newBareOn(t testing.TB, be compute.Backend, c Config, base map[string]weights.Array) *Program {
	t.Helper()
	targets, err := lora.MatchTargets(c.Modules(), lora.Targets{Pattern: lora.AllLinear})
	must(t, err)
	l := lora.Spec{Rank: 1, Alpha: 1, Init: lora.InitKaiming}
	return newProgram(t, be, c, base, initAdapter(t, c, base, targets, l, 1),
		Options{LoRA: l, Train: trial.TrainSpec{BatchSize: 1}, Targets: targets, SequenceLength: 16})
}

func newProgram(t testing.TB, be compute.Backend, c Config, base, adapter map[string]weights.Array, o Options) *Program {
	t.Helper()
	p, err := New(be, c, base, adapter, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// tinyOptions trains rank r on c_attn with the golden traces' recipe.
func tinyOptions(t testing.TB, r int) Options {
	t.Helper()
	targets, err := lora.MatchTargets(tinyConfig(t).Modules(), lora.Targets{List: []string{"c_attn"}})
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		LoRA:    lora.Spec{Rank: r, Alpha: 16, Init: lora.InitKaiming},
		Train:   trial.TrainSpec{BatchSize: 2, WeightDecay: 0.01, MaxGradNorm: 1},
		Targets: targets, SequenceLength: 16,
	}
}

// maxDiff is the largest absolute difference; NaN counts as infinite.
func maxDiff(a, b []float32) float64 {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	worst := 0.0
	for i := range a {
		d := math.Abs(float64(a[i]) - float64(b[i]))
		if math.IsNaN(d) {
			return math.Inf(1)
		}
		worst = max(worst, d)
	}
	return worst
}

// checkTensors compares got with want, name by name.
func checkTensors(t testing.TB, what string, got, want map[string]weights.Array, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d tensors, want %d", what, len(got), len(want))
	}
	for name, w := range want {
		if d := maxDiff(got[name].Data, w.Data); d > tolerance {
			t.Errorf("%s: %s differs by %g, tolerance %g", what, name, d, tolerance)
		}
	}
}

func check(t testing.TB, what string, got, want, tolerance float64) {
	t.Helper()
	if d := math.Abs(got - want); !(d <= tolerance) {
		t.Errorf("%s = %.9g, want %.9g (differs by %g, tolerance %g)", what, got, want, d, tolerance)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fataler is testing's and rapid's test.
type fataler interface {
	Helper()
	Fatal(args ...any)
}

// initAdapter is InitAdapter, which must succeed.
func initAdapter(t fataler, c Config, base map[string]weights.Array, targets []lora.Module, l lora.Spec,
	seed int64,
) map[string]weights.Array {
	t.Helper()
	adapter, err := InitAdapter(c, base, targets, l, seed)
	if err != nil {
		t.Fatal(err)
	}
	return adapter
}
