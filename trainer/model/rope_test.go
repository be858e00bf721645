package model

import (
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// TestPartialRope: the first half of a head turns as a head of its own would, the rest stays.
func TestPartialRope(t *testing.T) {
	t.Parallel()
	r, err := ropeFile{Partial: new(0.5)}.partialRope(Config{HeadDim: 8}, 1)
	must(t, err)
	const T, heads = 5, 2
	out := MustExecOnceN(xlaCPU(t), func(g *Graph) []*Node {
		positions := Iota(g, i32(1, T), 1)
		x := Sin(IotaFull(g, f32(1, T, heads, 8)))
		rotated := func(r Rope, x *Node) *Node {
			var in places
			in.cos, in.sin = r.angles(positions, x.Shape().Dimensions[3])
			return in.rotate(x)
		}
		first := Slice(x, AxisRange(), AxisRange(), AxisRange(), AxisRange(0, 4))
		rest := Slice(x, AxisRange(), AxisRange(), AxisRange(), AxisRange(4, 8))
		got := rotated(r, x)
		want := Concatenate([]*Node{rotated(Rope{Theta: r.Theta}, first), rest}, -1)
		return []*Node{ConvertDType(ReduceAllMax(Abs(Sub(got, want))), dtypes.Float32), ReduceAllMax(Abs(Sub(got, x)))}
	})
	if off, turned := out[0].Value().(float32), out[1].Value().(float32); off != 0 || turned == 0 {
		t.Errorf("differs by %g, turned by %g", off, turned)
	}
	for _, share := range []float64{0, 0.2, 0.4, 1.5, -1, 1e300} {
		_, err := ropeFile{Partial: &share}.partialRope(Config{HeadDim: 8}, 1)
		if err == nil || !strings.Contains(err.Error(), "partial_rotary_factor") {
			t.Errorf("%g: %v", share, err)
		}
	}
}
