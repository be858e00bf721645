package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// TestCrossEntropyChunks checks the loop over chunks against float64 arithmetic, for every number of chunks.
func TestCrossEntropyChunks(t *testing.T) {
	t.Parallel()
	const rows, V, C = 12, 40, 8
	random := rand.New(rand.NewPCG(1, 2))
	x, head, targets := make([]float32, rows*C), make([]float32, V*C), make([]int32, rows)
	for i := range x {
		x[i] = float32(random.NormFloat64())
	}
	for i := range head {
		head[i] = float32(random.NormFloat64())
	}
	for i := range targets {
		targets[i] = int32(random.IntN(V))
	}
	for _, most := range []float64{0, 2} { // without a cap on the logits, and with one that bends them
		wantNLL, wantDX := crossEntropy64(x, head, targets, C, most)
		for platform, open := range backends() {
			t.Run(fmt.Sprintf("%s/cap %g", platform, most), func(t *testing.T) {
				t.Parallel()
				be := open(t)
				for _, chunks := range []int{1, 3, 12} {
					c := rows / chunks
					exec := buildCrossEntropy(t, be, crossEntropy{chunks: chunks, rows: c, cap: most}, rows, V, C)
					for _, tokens := range []int{rows, min(rows, c+1), 1} {
						nll, dx := runCrossEntropy(t, device{be}, exec, x, head, targets, tokens, C)
						if d := maxDiff(nll[:tokens], wantNLL[:tokens]); d > 1e-5 { // float32 at |nll| < 20
							t.Errorf("%d chunks, %d tokens: nll differs by %g", chunks, tokens, d)
						}
						if d := maxDiff(dx[:tokens*C], wantDX[:tokens*C]); d > 1e-5 {
							t.Errorf("%d chunks, %d tokens: dx differs by %g", chunks, tokens, d)
						}
					}
				}
			})
		}
	}
}

func buildCrossEntropy(t *testing.T, be compute.Backend, ce crossEntropy, rows, V, C int) *executable {
	t.Helper()
	exec, err := device{be}.build("cross entropy", []shape{f32(rows, C), f32(V, C), i32(rows), i32()}, func(in []*Node) []*Node {
		ce.head = in[1]
		out := ce.run(in[0], in[2], in[3])
		return []*Node{ReduceSum(ExpandAxes(out.nll, -1), -1), out.dx} // a sum outside the loop: see chunk
	})
	must(t, err)
	t.Cleanup(exec.finalize)
	return exec
}

func runCrossEntropy(t *testing.T, d device, exec *executable, x, head []float32, targets []int32, tokens, C int) (nll, dx []float32) {
	t.Helper()
	rows, V := len(targets), len(head)/C
	var in []compute.Buffer
	for _, a := range []struct {
		flat  any
		dtype dtypes.DType
		dims  []int
	}{
		{x, dtypes.Float32, []int{rows, C}},
		{head, dtypes.Float32, []int{V, C}},
		{targets, dtypes.Int32, []int{rows}},
		{[]int32{int32(tokens)}, dtypes.Int32, nil},
	} {
		b, err := d.upload(a.flat, a.dtype, a.dims...)
		must(t, err)
		in = append(in, b)
	}
	out, err := exec.run(in, nil)
	must(t, err)
	defer finalizeAll(append(in, out...)...)
	nll, err = read(out[0], rows)
	must(t, err)
	dx, err = read(out[1], rows*C)
	must(t, err)
	return nll, dx
}

// crossEntropy64 is the definition. most caps the logits, unless 0.
func crossEntropy64(x, head []float32, targets []int32, C int, most float64) (nll, dx []float32) {
	V := len(head) / C
	for r, target := range targets {
		z, slope, sum := make([]float64, V), make([]float64, V), 0.0
		for v := range V {
			for j := range C {
				z[v] += float64(x[r*C+j]) * float64(head[v*C+j])
			}
			z[v], slope[v] = capped64(z[v], most)
			sum += math.Exp(z[v])
		}
		nll = append(nll, float32(math.Log(sum)-z[target]))
		for j := range C {
			g := -slope[target] * float64(head[int(target)*C+j])
			for v := range V {
				g += math.Exp(z[v]) / sum * slope[v] * float64(head[v*C+j])
			}
			dx = append(dx, float32(g))
		}
	}
	return nll, dx
}

// capped64 is softcap with its derivative.
func capped64(z, most float64) (capped, slope float64) {
	if most == 0 {
		return z, 1
	}
	t := math.Tanh(z / most)
	return most * t, 1 - t*t
}

func TestChunking(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ rows, vocab, chunks, perChunk int }{
		{504, 2048, 1, 504},
		{508, 50257, 4, 127},
		{1, 50257, 1, 1},
		{3, 20_000_000, 3, 1}, // one row is above the bound: still a row at a time
	} {
		if chunks, perChunk := chunking(c.rows, c.vocab); chunks != c.chunks || perChunk != c.perChunk {
			t.Errorf("chunking(%d, %d) = %d, %d, want %d, %d", c.rows, c.vocab, chunks, perChunk, c.chunks, c.perChunk)
		}
	}
}
