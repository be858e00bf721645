package model

import (
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ranksweep/ranksweep/trainer/weights"
)

// TestMaskBits pins the bits of a mask, which must never change: they are part of what a trial's seed means.
func TestMaskBits(t *testing.T) {
	t.Parallel()
	keys := []uint32{1, 2, 0x12345678, 0x9abcdef0}
	for platform, open := range backends() {
		t.Run(platform, func(t *testing.T) {
			t.Parallel()
			be := open(t)
			got := maskBitsOf(t, be, keys, 1, []int{3, 5})
			for k := range got {
				want := lowbiasHost(lowbiasHost(uint32(k)^keys[2]) ^ keys[3])
				if got[k] != want {
					t.Errorf("bits[%d] = %#x, want %#x", k, got[k], want)
				}
			}
		})
	}
}

func maskBitsOf(t *testing.T, be compute.Backend, keys []uint32, module int, dims []int) []uint32 {
	t.Helper()
	d := device{be}
	exec, err := d.build("mask", []shape{shapes.Make(dtypes.Uint32, len(keys)/2, 2)}, func(in []*Node) []*Node {
		return []*Node{maskBits(dims, in[0], module)}
	})
	must(t, err)
	defer exec.finalize()
	in, err := d.upload(keys, dtypes.Uint32, len(keys)/2, 2)
	must(t, err)
	out, err := exec.run([]compute.Buffer{in}, nil)
	must(t, err)
	defer finalizeAll(in, out[0])
	bits := make([]uint32, size(dims))
	must(t, out[0].ToFlatData(bits))
	return bits
}

func lowbiasHost(x uint32) uint32 {
	x = (x ^ x>>16) * 0x7feb352d
	x = (x ^ x>>15) * 0x846ca68b
	return x ^ x>>16
}

// TestMaskIsFair counts kept entries, alone and in pairs: neighbours, and the same entry of two modules, steps and seeds.
func TestMaskIsFair(t *testing.T) {
	t.Parallel()
	be := pureGo(t)
	o := tinyOptions(t, 4)
	const n = 1 << 16
	mask := func(seed int64, step, module int) []uint32 {
		return maskBitsOf(t, be, dropoutKeys(o.Targets, seed, step, 0), module, []int{n / 64, 64})
	}
	first := mask(1, 1, 0)
	for name, second := range map[string][]uint32{
		"neighbour":      slices.Concat(first[1:], first[:1]),
		"row below":      slices.Concat(first[64:], first[:64]),
		"another module": mask(1, 1, 1),
		"another step":   mask(1, 2, 0),
		"another seed":   mask(2, 1, 0),
	} {
		both := 0
		for i := range first {
			if first[i] < 1<<31 && second[i] < 1<<31 {
				both++
			}
		}
		// A quarter of n, within five standard deviations of a fair coin's sqrt(n·¼·¾).
		if d := math.Abs(float64(both) - n/4); d > 5*math.Sqrt(n*3.0/16) {
			t.Errorf("%s: %d of %d entries fall in both masks, want about %d", name, both, n, n/4)
		}
	}
}

// TestRankIsData pads a rank-4 adapter with zeros to rank 12, which has programs of its own: with the same scaling, every number stays,
// dropout included, and the gradient of the padding is exactly zero. So masks do not depend on the rank either.
func TestRankIsData(t *testing.T) {
	t.Parallel()
	for platform, open := range backends() {
		t.Run(platform, func(t *testing.T) {
			t.Parallel()
			be := open(t)
			small, large := tinyOptions(t, 4), tinyOptions(t, 12)
			small.LoRA.Alpha, large.LoRA.Alpha = 8, 24
			small.LoRA.Dropout, large.LoRA.Dropout = 0.3, 0.3
			adapter := seededAdapter(t, small)
			b := tinyInputs(t).batch(t)
			grads4, loss4, err := newTiny(t, be, adapter, small).Gradients(b)
			must(t, err)
			grads12, loss12, err := newTiny(t, be, padRank(adapter, 4, 12), large).Gradients(b)
			must(t, err)
			check(t, "loss", loss12, loss4, lossTolerance)
			checkTensors(t, "gradient", grads12, padRank(grads4, 4, 12), gradientTolerance)
			for name, g := range grads12 {
				for i, v := range g.Data {
					beyond := g.Shape[0] == 12 && i/g.Shape[1] >= 4 || g.Shape[1] == 12 && i%12 >= 4
					if beyond && v != 0 {
						t.Fatalf("%s[%d] = %g beyond rank 4, want 0", name, i, v)
					}
				}
			}
		})
	}
}

// seededAdapter is a fresh adapter with a B that is not zero.
func seededAdapter(t testing.TB, o Options) map[string]weights.Array {
	t.Helper()
	adapter := initAdapter(t, tinyConfig(t), nil, o.Targets, o.LoRA, 7)
	for _, m := range o.Targets {
		random := stream("test", 7, m.Name)
		b := adapter[weights.KeyB(m.Name)].Data
		for i := range b {
			b[i] = float32(0.05 * gaussian(random))
		}
	}
	return adapter
}

// padRank adds zero rows to every A [r, in] and zero columns to every B [out, r].
func padRank(tensors map[string]weights.Array, from, to int) map[string]weights.Array {
	padded := maps.Clone(tensors)
	for name, a := range tensors {
		if a.Shape[0] == from {
			data := append(slices.Clone(a.Data), make([]float32, (to-from)*a.Shape[1])...)
			padded[name] = weights.Array{Shape: []int{to, a.Shape[1]}, Data: data}
			continue
		}
		var data []float32
		for row := range a.Shape[0] {
			data = append(append(data, a.Data[row*from:(row+1)*from]...), make([]float32, to-from)...)
		}
		padded[name] = weights.Array{Shape: []int{a.Shape[0], to}, Data: data}
	}
	return padded
}

// TestDropoutChangesTraining compares the loss under dropout with many masks: its mean is near the loss without, and p = 0.3
// changes single losses.
func TestDropoutChangesTraining(t *testing.T) {
	t.Parallel()
	be := pureGo(t)
	o := tinyOptions(t, 4)
	b := tinyInputs(t).batch(t)
	_, plain, err := newTiny(t, be, seededAdapter(t, o), o).Gradients(b)
	must(t, err)
	o.LoRA.Dropout = 0.3
	p := newTiny(t, be, seededAdapter(t, o), o)
	_, dropped, err := p.Gradients(b)
	must(t, err)
	if dropped == plain {
		t.Error("dropout 0.3 does not change the training loss")
	}
	sum, n, err := p.Evaluate(b)
	must(t, err)
	check(t, "evaluation (dropout off)", sum/float64(n), plain, lossTolerance)
}
