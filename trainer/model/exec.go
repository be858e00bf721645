package model

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/ranksweep/ranksweep/trainer/weights"
)

// device is where programs run: one device of a backend.
type device struct {
	be compute.Backend
}

// build turns a graph function into an executable. GoMLX panics while a graph is built; here such a panic
// becomes an error, with the innermost message first.
func (d device) build(name string, inputs []shape, fn func(in []*Node) []*Node) (*executable, error) {
	g := NewGraph(d.be, name)
	var err error
	caught := exceptions.Try(func() {
		nodes := make([]*Node, len(inputs))
		for i, s := range inputs {
			nodes[i] = Parameter(g, fmt.Sprintf("in%d", i), s)
		}
		err = g.Compile(fn(nodes)...)
	})
	if caught != nil {
		err = fmt.Errorf("%v", caught)
	}
	if err != nil {
		g.Finalize()
		return nil, fmt.Errorf("compile %s for %s: %w", name, d.be.Name(), err)
	}
	return &executable{name: name, graph: g}, nil
}

// executable is a compiled graph.
type executable struct {
	name  string
	graph *Graph
}

// run executes on device buffers. Those marked in donate are gone afterwards. The caller finalises the results.
func (e *executable) run(inputs []compute.Buffer, donate []bool) ([]compute.Buffer, error) {
	out, err := e.graph.Executable().Execute(inputs, donate, 0)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", e.name, err)
	}
	return out, nil
}

func (e *executable) finalize() {
	if e != nil {
		e.graph.Finalize()
	}
}

// upload copies a flat slice to the device.
func (d device) upload(flat any, dtype dtypes.DType, dims ...int) (compute.Buffer, error) {
	b, err := d.be.BufferFromFlatData(0, flat, shapes.Make(dtype, dims...))
	if err != nil {
		return nil, fmt.Errorf("copy %v to the device: %w", shapes.Make(dtype, dims...), err)
	}
	return b, nil
}

// uploadInt32 copies flat slices of the same dimensions to the device.
func (d device) uploadInt32(dims []int, all ...[]int32) ([]compute.Buffer, error) {
	buffers := make([]compute.Buffer, len(all))
	for i, flat := range all {
		var err error
		if buffers[i], err = d.upload(flat, dtypes.Int32, dims...); err != nil {
			finalizeAll(buffers...)
			return nil, err
		}
	}
	return buffers, nil
}

// uploadAll copies tensors to the device in the order of specs, rounded to dtype.
func (d device) uploadAll(specs []TensorSpec, tensors map[string]weights.Array, dtype dtypes.DType) ([]compute.Buffer, error) {
	buffers := make([]compute.Buffer, 0, len(specs))
	for _, s := range specs {
		var flat any = tensors[s.Name].Data
		if dtype == dtypes.BFloat16 {
			flat = toBFloat16(tensors[s.Name].Data)
		}
		b, err := d.upload(flat, dtype, s.Shape...)
		if err != nil {
			finalizeAll(buffers...)
			return nil, fmt.Errorf("tensor %s: %w", s.Name, err)
		}
		buffers = append(buffers, b)
	}
	return buffers, nil
}

func toBFloat16(data []float32) []bfloat16.BFloat16 {
	rounded := make([]bfloat16.BFloat16, len(data))
	for i, v := range data {
		rounded[i] = bfloat16.FromFloat32(v)
	}
	return rounded
}

// read copies n float32 values from the device and waits for them.
func read(b compute.Buffer, n int) ([]float32, error) {
	flat := make([]float32, n)
	if err := b.ToFlatData(flat); err != nil {
		return nil, fmt.Errorf("copy from the device: %w", err)
	}
	return flat, nil
}

// finalizeAll frees buffers now instead of at the next garbage collection. Nil ones are skipped; an error while freeing
// leaves nothing to do.
func finalizeAll(buffers ...compute.Buffer) {
	for _, b := range buffers {
		if b != nil {
			_ = b.Finalize()
		}
	}
}

// cache holds executables by batch shape: those of another shape than the training batch are compiled when first needed.
type cache map[[2]int]*executable

func (c cache) get(d device, name string, B, T int, in []shape, fn func([]*Node) []*Node) (*executable, error) {
	if e, ok := c[[2]int{B, T}]; ok {
		return e, nil
	}
	e, err := d.build(fmt.Sprintf("%s %dx%d", name, B, T), in, fn)
	if err != nil {
		return nil, err
	}
	c[[2]int{B, T}] = e
	return e, nil
}

func (c cache) finalize() {
	for _, e := range c {
		e.finalize()
	}
	clear(c)
}

type shape = shapes.Shape

func f32(dims ...int) shape { return shapes.Make(dtypes.Float32, dims...) }
func i32(dims ...int) shape { return shapes.Make(dtypes.Int32, dims...) }
