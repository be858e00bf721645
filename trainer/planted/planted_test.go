package planted

import (
	"context"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/backend"
	"github.com/ranksweep/ranksweep/trainer/backend/backendtest"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// The features have mean 0 and unit covariance although the inputs have a large mean and one strong direction, and B's
// columns are orthogonal and as long as Norm.
func TestAdapterIsEquallyStrongInEveryDirection(t *testing.T) {
	t.Parallel()
	const n, in, out, rank = 400, 16, 20, 3
	random := rand.New(rand.NewPCG(1, 2))
	x := weights.Array{Shape: []int{n, in}, Data: make([]float32, n*in)}
	for i := range n {
		strong := 10 * random.NormFloat64()
		for j := range in {
			x.Data[i*in+j] = float32(5 + strong*float64(j) + random.NormFloat64())
		}
	}
	module := lora.Module{Name: "transformer.h.0.attn.c_attn", In: in, Out: out}
	teacher := Teacher{Targets: []lora.Module{module}, Rank: rank, Norm: 2.5, Seed: 7}
	a, err := teacher.Adapter(map[string]weights.Array{module.Name: x})
	if err != nil {
		t.Fatal(err)
	}
	A, B := dense(a.Tensors[weights.KeyA(module.Name)]), dense(a.Tensors[weights.KeyB(module.Name)])
	var features mat.Dense
	features.Mul(dense(x), A.T())
	covariance := mat.NewSymDense(rank, nil)
	stat.CovarianceMatrix(covariance, &features, nil)
	var square mat.Dense
	square.Mul(B.T(), B)
	for i := range rank {
		if mean := stat.Mean(mat.Col(nil, i, &features), nil); math.Abs(mean) > 1e-3 {
			t.Errorf("feature %d has mean %g, want 0", i, mean)
		}
		for j := range rank {
			one := 0.0
			if i == j {
				one = 1
			}
			if got := covariance.At(i, j); math.Abs(got-one) > 1e-3 {
				t.Errorf("covariance of features %d and %d = %g, want %g", i, j, got, one)
			}
			if got := square.At(i, j); math.Abs(got-6.25*one) > 1e-4 {
				t.Errorf("product of columns %d and %d of B = %g, want %g", i, j, got, 6.25*one)
			}
		}
	}
	if a.Config.Scaling() != 1 {
		t.Errorf("scaling = %g, want 1", a.Config.Scaling())
	}
}

func TestAdapterNeedsRoom(t *testing.T) {
	t.Parallel()
	module := lora.Module{Name: "m", In: 8, Out: 20}
	x := weights.Array{Shape: []int{2, 8}, Data: make([]float32, 16)}
	for _, rank := range []int{1, 3} { // no variance at all; more components than the width
		if _, err := (Teacher{Targets: []lora.Module{module}, Rank: rank, Norm: 1}).Adapter(map[string]weights.Array{"m": x}); err == nil {
			t.Errorf("rank %d: no error", rank)
		}
	}
}

func dense(a weights.Array) *mat.Dense {
	m := mat.NewDense(a.Shape[0], a.Shape[1], nil)
	for i, v := range a.Data {
		m.Set(i/a.Shape[1], i%a.Shape[1], float64(v))
	}
	return m
}

func TestDrawFollowsTheSoftmax(t *testing.T) {
	t.Parallel()
	logits := []float32{1000, 1000 + float32(math.Log(2)), 1000 + float32(math.Log(5)), -1000}
	const n = 8000
	counts := make([]int, len(logits))
	for i := range n {
		counts[draw(logits, (float64(i)+0.5)/n)]++
	}
	if diff := cmp.Diff([]int{n / 8, n / 4, 5 * n / 8, 0}, counts); diff != "" {
		t.Errorf("of %d even draws (-want +got):\n%s", n, diff)
	}
}

func TestRowsDependOnSeedAndNumberAlone(t *testing.T) {
	t.Parallel()
	backendtest.NeedPureGo(t)
	ctx := context.Background()
	choice, err := backend.Resolve(ctx, "go")
	if err != nil {
		t.Fatal(err)
	}
	info, err := trainer.Inspect(ctx, "builtin:gopher", trainer.InspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	rows := func(n int, seed int64) [][]int32 {
		t.Helper()
		out, err := Rows(ctx, Options{Model: info, Rows: n, Length: 5, Seed: seed, Backend: choice, Progress: func(int) {}})
		if err != nil {
			t.Fatal(err)
		}
		if len(out) != n {
			t.Fatalf("%d rows, want %d", len(out), n)
		}
		return out
	}
	few, many, other := rows(2, 1), rows(66, 1), rows(2, 2)
	if diff := cmp.Diff(few, many[:2]); diff != "" {
		t.Errorf("the first rows of 66 are not those of 2:\n%s", diff)
	}
	if cmp.Equal(many[64:], few) || cmp.Equal(few, other) {
		t.Error("rows of other numbers or another seed are the same")
	}
}

func TestPlantedRowsComeFromTheTeacher(t *testing.T) {
	t.Parallel()
	backendtest.NeedPureGo(t)
	ctx := context.Background()
	choice, err := backend.Resolve(ctx, "go")
	if err != nil {
		t.Fatal(err)
	}
	info, err := trainer.Inspect(ctx, "builtin:gopher", trainer.InspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	targets, err := lora.MatchTargets(info.Modules, lora.Targets{List: []string{"mlp.c_proj"}})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Model: info, Rows: 2, Length: 4, Seed: 1, Backend: choice, Progress: func(int) {}}
	base, err := Rows(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	o.Teacher = Teacher{Targets: targets[:1], Rank: 2, Norm: 50, Seed: 1}
	o.AdapterDir = filepath.Join(t.TempDir(), "teacher")
	taught, err := Rows(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	if cmp.Equal(base, taught) {
		t.Error("a strong teacher writes what the base does")
	}
	if a, err := weights.ReadAdapter(o.AdapterDir); err != nil || a.Config.R != 2 {
		t.Errorf("the teacher's adapter: rank %d, %v", a.Config.R, err)
	}
}
