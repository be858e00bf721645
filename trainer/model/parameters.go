package model

import (
	"errors"
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ranksweep/ranksweep/trainer/weights"
)

// parameters are what training changes, on the device: one flat vector [N] and AdamW's two moments of it.
type parameters struct {
	device
	layout    layout
	optimizer adamW

	p, m, v compute.Buffer // [N] float32 each
	zero    compute.Buffer // [N+1] zeros: the accumulator of a step's first micro-batch
	apply   *executable
}

// State is all that changes while training: the tensors and AdamW's moments, under the tensors' names.
type State struct {
	Adapter, M, V map[string]weights.Array
}

// fresh is the state before the first step.
func (t *parameters) fresh(tensors map[string]weights.Array) State {
	zeros := t.layout.unpack(make([]float32, t.layout.total))
	return State{Adapter: tensors, M: zeros, V: zeros}
}

// State reads the state from the device.
func (t *parameters) State() (State, error) {
	var parts [3]map[string]weights.Array
	for i, b := range []compute.Buffer{t.p, t.m, t.v} {
		var err error
		if parts[i], err = t.part(b); err != nil {
			return State{}, err
		}
	}
	return State{Adapter: parts[0], M: parts[1], V: parts[2]}, nil
}

// Adapter reads the state's tensors alone, without the moments.
func (t *parameters) Adapter() (map[string]weights.Array, error) { return t.part(t.p) }

func (t *parameters) part(b compute.Buffer) (map[string]weights.Array, error) {
	if b == nil {
		return nil, errors.New("read state: lost in a failed step")
	}
	flat, err := read(b, t.layout.total)
	if err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	return t.layout.unpack(flat), nil
}

// SetState replaces the state. Steps then continue exactly as they would have.
func (t *parameters) SetState(s State) error {
	var next [3]compute.Buffer
	for i, part := range []struct {
		what    string
		tensors map[string]weights.Array
	}{{"adapter", s.Adapter}, {"first moments", s.M}, {"second moments", s.V}} {
		flat, err := t.layout.pack(part.what, part.tensors)
		if err == nil {
			next[i], err = t.upload(flat, dtypes.Float32, t.layout.total)
		}
		if err != nil {
			finalizeAll(next[:]...)
			return err
		}
	}
	if t.zero == nil {
		var err error
		if t.zero, err = t.upload(make([]float32, t.layout.total+1), dtypes.Float32, t.layout.total+1); err != nil {
			finalizeAll(next[:]...)
			return err
		}
	}
	finalizeAll(t.p, t.m, t.v)
	t.p, t.m, t.v = next[0], next[1], next[2]
	return nil
}

// compileApply: (p, m, v [N], acc [N+1], scheduled) -> p, m, v, [loss, norm].
func (t *parameters) compileApply() error {
	if t.apply != nil {
		return nil
	}
	n := t.layout.total
	var err error
	t.apply, err = t.build("update", []shape{f32(n), f32(n), f32(n), f32(n + 1), f32(t.optimizer.scheduled())}, func(in []*Node) []*Node {
		grad, loss := Slice(in[3], AxisRange(0, n)), Slice(in[3], AxisRange(n, n+1))
		p, m, v, norm := t.optimizer.update(in[0], in[1], in[2], grad, in[4])
		return []*Node{p, m, v, Concatenate([]*Node{loss, Reshape(norm, 1)}, 0)}
	})
	return err
}

// update applies AdamW to the gradient and loss in acc [N+1], which it consumes. It returns the loss and the gradient's norm
// before clipping: a step's one read by the host.
func (t *parameters) update(step int, acc compute.Buffer, lr float64) (loss, norm float64, err error) {
	if err := t.compileApply(); err != nil {
		finalizeAll(acc)
		return 0, 0, err
	}
	scheduled, err := t.upload(t.optimizer.schedule(step, lr), dtypes.Float32, t.optimizer.scheduled())
	if err != nil {
		finalizeAll(acc)
		return 0, 0, err
	}
	out, err := t.apply.run([]compute.Buffer{t.p, t.m, t.v, acc, scheduled}, []bool{true, true, true, true, true})
	if err != nil {
		t.p, t.m, t.v = nil, nil, nil
		return 0, 0, err
	}
	t.p, t.m, t.v = out[0], out[1], out[2]
	defer finalizeAll(out[3])
	stats, err := read(out[3], 2)
	if err != nil {
		return 0, 0, err
	}
	return float64(stats[0]), float64(stats[1]), nil
}

func (t *parameters) close() {
	finalizeAll(t.p, t.m, t.v, t.zero)
	t.p, t.m, t.v, t.zero = nil, nil, nil, nil
	t.apply.finalize()
	t.apply = nil
}
