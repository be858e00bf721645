package backend

import (
	"fmt"
	"slices"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// worthBFloat16 is how many times as fast products in bfloat16 must be. What is not a product gains little by it on a CPU, and pays for
// conversions: where products were 0.75 times as fast a step was 0.8 times as fast, and where they were 1.7 times as fast 1.1 times.
const worthBFloat16 = 1.25

// Dtype is what `train.dtype: auto` means here: float32, or bfloat16 where the probe found its products clearly faster.
func (c Choice) Dtype() string {
	if c.BFloat16Speedup >= worthBFloat16 {
		return trial.DtypeBFloat16
	}
	return trial.DtypeFloat32
}

// bfloat16Speedup returns the time of a float32 product over that of the same in bfloat16: of 512 rows with a matrix of GPT-2
// small's MLP, which takes 10 ms on two cores. The two take turns, and the medians count.
func bfloat16Speedup(be compute.Backend) (float64, error) {
	types := []dtypes.DType{dtypes.Float32, dtypes.BFloat16}
	seconds := make([][]float64, len(types))
	runs := make([]func() error, len(types))
	for i, dtype := range types {
		run, done, err := product(be, dtype)
		if err != nil {
			return 0, err
		}
		defer done()
		runs[i] = run
	}
	for range 7 {
		for i, run := range runs {
			began := time.Now()
			if err := run(); err != nil {
				return 0, err
			}
			seconds[i] = append(seconds[i], time.Since(began).Seconds())
		}
	}
	for _, s := range seconds {
		slices.Sort(s)
	}
	middle := len(seconds[0]) / 2
	return seconds[0][middle] / seconds[1][middle], nil
}

// product compiles a product and returns what computes it once, to the end, and what frees it.
func product(be compute.Backend, dtype dtypes.DType) (run func() error, done func(), err error) {
	g := graph.NewGraph(be, "product")
	x, w := shapes.Make(dtype, 512, 768), shapes.Make(dtype, 768, 3072)
	if caught := exceptions.Try(func() {
		y := graph.Dot(graph.Parameter(g, "x", x), graph.Parameter(g, "w", w)).WithAccumulatorDType(dtype).General([]int{1}, nil, []int{0}, nil)
		err = g.Compile(graph.ConvertDType(graph.ReduceAllMax(y), dtypes.Float32))
	}); caught != nil {
		err = fmt.Errorf("%v", caught)
	}
	buffers := make([]compute.Buffer, 0, 2)
	done = func() {
		for _, b := range buffers {
			_ = b.Finalize()
		}
		g.Finalize()
	}
	for _, s := range []shapes.Shape{x, w} {
		if err != nil {
			break
		}
		var b compute.Buffer
		if b, err = be.BufferFromFlatData(0, zeros(dtype, s.Size()), s); err == nil {
			buffers = append(buffers, b)
		}
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	return func() error {
		out, err := g.Executable().Execute(buffers, nil, 0)
		if err != nil {
			return err
		}
		defer out[0].Finalize()                      //nolint:errcheck // nothing is left to do about it
		return out[0].ToFlatData(make([]float32, 1)) // waits
	}, done, nil
}

func zeros(dtype dtypes.DType, n int) any {
	if dtype == dtypes.BFloat16 {
		return make([]bfloat16.BFloat16, n)
	}
	return make([]float32, n)
}
