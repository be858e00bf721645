package model

import (
	"maps"
	"testing"
)

// TestRescale: an adapter cut to a lower rank is the same function whether the ratio of the scalings lies in B or outside, training
// leaves its further rows and columns zero, and the first step is that of a program which has the lower rank's scaling from the start.
func TestRescale(t *testing.T) {
	t.Parallel()
	be, batches := pureGo(t), trainBatches(t)
	o := tinyOptions(t, 4)
	o.Train.WeightDecay = 0
	fresh := seededAdapter(t, o)
	plain := newTiny(t, be, fresh, o)
	p := newTiny(t, be, fresh, o)
	for step := 1; step <= 3; step++ {
		r, err := p.Step(step, batches[:1], 1e-2)
		must(t, err)
		want, err := plain.Step(step, batches[:1], 1e-2)
		must(t, err)
		check(t, "loss", r.Loss, want.Loss, 1e-6)
	}
	state, err := p.State()
	must(t, err)
	from := Fitted{LoRA: o.LoRA, Targets: o.Targets, Tensors: state.Adapter}
	to := o.LoRA
	to.Rank, to.Alpha = 2, 3*o.LoRA.Alpha
	truncated, err := Truncated(from, to)
	must(t, err)
	rescaled, err := Rescaled(from, to)
	must(t, err)

	must(t, p.Restart(truncated))
	want, err := p.Score(batches[0])
	must(t, err)
	must(t, p.Rescale(to))
	must(t, p.Restart(rescaled))
	got, err := p.Score(batches[0])
	must(t, err)
	check(t, "score", got.LossSum, want.LossSum, 1e-4)

	other := o
	other.LoRA.Alpha = to.Alpha * float64(o.LoRA.Rank) / 2 // the scaling of rank 2
	low := newTiny(t, be, maps.Clone(rescaled), other)
	a, err := p.Step(1, batches[:1], 1e-2)
	must(t, err)
	b, err := low.Step(1, batches[:1], 1e-2)
	must(t, err)
	check(t, "loss after the cut", a.Loss, b.Loss, 1e-6)
	check(t, "gradient after the cut", a.GradNorm, b.GradNorm, 1e-5)
	after, err := p.State()
	must(t, err)
	for _, m := range o.Targets {
		keyA, _ := keysOf(m)
		for i, v := range after.Adapter[keyA].Data[2*m.In:] {
			if v != 0 {
				t.Fatalf("%s: value %d beyond rank 2 is %v", keyA, i, v)
			}
		}
	}
}
