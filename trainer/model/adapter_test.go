package model

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// TestInitAdapterIsNested: the A of a smaller rank is the top of a larger one's (kaiming), so a ladder starts from common
// random numbers; gaussian rows are the same up to the division by r.
func TestInitAdapterIsNested(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		small := rapid.IntRange(1, 16).Draw(t, "small")
		large := rapid.IntRange(small, 32).Draw(t, "large")
		seed := rapid.Int64().Draw(t, "seed")
		init := rapid.SampledFrom([]string{lora.InitKaiming, lora.InitGaussian}).Draw(t, "init")
		m := lora.Module{Name: "transformer.h.0.attn.c_attn", In: 24, Out: 72}
		adapter := func(r int) map[string]weights.Array {
			return initAdapter(t, Config{Architecture: "gpt2"}, nil, []lora.Module{m}, lora.Spec{Rank: r, Alpha: 1, Init: init}, seed)
		}
		a, b := adapter(small)[weights.KeyA(m.Name)].Data, adapter(large)[weights.KeyA(m.Name)].Data
		for i := range a {
			want := float64(b[i])
			if init == lora.InitGaussian {
				want *= float64(large) / float64(small)
			}
			if math.Abs(float64(a[i])-want) > 1e-6*math.Abs(want) {
				t.Fatalf("A[%d] = %g at rank %d, %g at rank %d", i, a[i], small, b[i], large)
			}
		}
		if slices.ContainsFunc(adapter(large)[weights.KeyB(m.Name)].Data, func(v float32) bool { return v != 0 }) {
			t.Fatal("B is not zero")
		}
	})
}

func TestInitAdapterDistribution(t *testing.T) {
	t.Parallel()
	m := lora.Module{Name: "m", In: 256, Out: 4}
	const r = 64
	for _, test := range []struct {
		init      string
		variance  float64
		within    float64
		tolerance float64 // five standard errors of a variance over 16384 draws
	}{
		{lora.InitKaiming, 1.0 / (3 * 256), 1.0 / 16, 0.04},   // U(±1/16)
		{lora.InitGaussian, 1.0 / (r * r), math.Inf(1), 0.06}, // N(0, 1/r)
	} {
		data := initAdapter(t, Config{Architecture: "gpt2"}, nil, []lora.Module{m}, lora.Spec{Rank: r, Alpha: 1, Init: test.init},
			5)[weights.KeyA("m")].Data
		variance := 0.0
		for _, v := range data {
			variance += float64(v) * float64(v) / float64(len(data))
			if math.Abs(float64(v)) > test.within {
				t.Errorf("%s: %g is outside ±%g", test.init, v, test.within)
			}
		}
		check(t, test.init+" variance", variance, test.variance, test.tolerance*test.variance)
	}
}

func TestStreamsDiffer(t *testing.T) {
	t.Parallel()
	keys := map[[32]byte]string{}
	for _, k := range []struct {
		what string
		key  [32]byte
	}{
		{"one", streamKey("a", 1, "m", 1)},
		{"purpose", streamKey("b", 1, "m", 1)},
		{"seed", streamKey("a", 2, "m", 1)},
		{"module", streamKey("a", 1, "n", 1)},
		{"counter", streamKey("a", 1, "m", 2)},
		{"two counters", streamKey("a", 1, "m", 1, 0)},
	} {
		if other, ok := keys[k.key]; ok {
			t.Errorf("streams %s and %s are one", k.what, other)
		}
		keys[k.key] = k.what
	}
}
