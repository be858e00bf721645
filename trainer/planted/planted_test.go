package planted

import (
	"context"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/gonum/mat"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/backend"
	"github.com/ranksweep/ranksweep/trainer/backend/backendtest"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

func TestAdapterHasEqualSingularValues(t *testing.T) {
	t.Parallel()
	module := sweep.Module{Name: "transformer.h.0.attn.c_attn", In: 12, Out: 20}
	a, err := Adapter([]sweep.Module{module}, 3, 2.5, 7)
	if err != nil {
		t.Fatal(err)
	}
	A, B := dense(a.Tensors[weights.KeyA(module.Name)]), dense(a.Tensors[weights.KeyB(module.Name)])
	var update mat.Dense
	update.Mul(B, A)
	update.Scale(a.Config.Scaling(), &update)
	var svd mat.SVD
	if !svd.Factorize(&update, mat.SVDNone) {
		t.Fatal("no singular values")
	}
	for i, s := range svd.Values(nil) {
		want := 0.0
		if i < 3 {
			want = 2.5
		}
		if math.Abs(s-want) > 1e-5 {
			t.Errorf("singular value %d = %g, want %g", i, s, want)
		}
	}
}

func TestAdapterNeedsRoom(t *testing.T) {
	t.Parallel()
	if _, err := Adapter([]sweep.Module{{Name: "m", In: 4, Out: 20}}, 5, 1, 0); err == nil {
		t.Error("rank 5 in a module of width 4: no error")
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
