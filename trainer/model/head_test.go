package model

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// TestHeadLossChunks checks losses and gradients of a head that trains against float64 arithmetic, for every number of chunks.
func TestHeadLossChunks(t *testing.T) {
	t.Parallel()
	const rows, V, C, R = 12, 40, 8, 3
	random := rand.New(rand.NewPCG(1, 2))
	normal := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(random.NormFloat64())
		}
		return v
	}
	x, w, u, b, targets := normal(rows*C), normal(V*C), normal(rows*R), normal(V*R), make([]int32, rows)
	for i := range targets {
		targets[i] = int32(random.IntN(V))
	}
	for platform, open := range backends() {
		t.Run(platform, func(t *testing.T) {
			t.Parallel()
			be := open(t)
			for _, tc := range []struct {
				chunks int
				cap    float64 // on the logits
			}{{1, 0}, {3, 0}, {12, 0}, {1, 2}, {3, 2}} {
				chunks, most := tc.chunks, tc.cap
				exec, err := device{be}.build("head loss", []shape{f32(rows, C), f32(V, C), f32(rows, R), f32(V, R), i32(rows), i32()},
					func(in []*Node) []*Node {
						out := headLoss{chunks: chunks, rows: rows / chunks, cap: most}.run(
							[]headPart{{in[0], in[1], true}, {in[2], in[3], true}}, in[4], in[5],
						)
						return []*Node{out.nll, out.dx[0], out.dw[0], out.dx[1], out.dw[1]}
					})
				must(t, err)
				for _, tokens := range []int{rows, 5, 1} {
					want := headLoss64([2][]float32{x, u}, [2][]float32{w, b}, targets[:tokens], [2]int{C, R}, V, most)
					for i, got := range runHeadLoss(t, device{be}, exec, [][]float32{x, w, u, b}, [][]int{{rows, C}, {V, C}, {rows, R}, {V, R}},
						targets, tokens, want) {
						if d := maxDiff(got[:len(want[i])], want[i]); d > 2e-5 { // float32 at |nll| < 20, sums of 12 rows
							t.Errorf("%d chunks, cap %g, %d tokens: result %d differs by %g", chunks, most, tokens, i, d)
						}
					}
				}
				exec.finalize()
			}
		})
	}
}

func runHeadLoss(t *testing.T, d device, exec *executable, floats [][]float32, dims [][]int, targets []int32, tokens int,
	want [][]float32,
) [][]float32 {
	t.Helper()
	var in []compute.Buffer
	for i, flat := range floats {
		b, err := d.upload(flat, dtypes.Float32, dims[i]...)
		must(t, err)
		in = append(in, b)
	}
	for _, a := range []struct {
		flat []int32
		dims []int
	}{{targets, []int{len(targets)}}, {[]int32{int32(tokens)}, nil}} {
		b, err := d.upload(a.flat, dtypes.Int32, a.dims...)
		must(t, err)
		in = append(in, b)
	}
	out, err := exec.run(in, nil)
	must(t, err)
	defer finalizeAll(append(in, out...)...)
	sizes := []int{len(targets), len(floats[0]), len(floats[1]), len(floats[2]), len(floats[3])}
	var all [][]float32
	for i, b := range out {
		flat, err := read(b, sizes[i])
		must(t, err)
		all = append(all, flat)
	}
	return all
}

// headLoss64 is the definition, for the rows that targets has: losses, and the gradients of their sum. most caps the logits, unless 0.
func headLoss64(x, w [2][]float32, targets []int32, width [2]int, V int, most float64) [][]float32 {
	nll := make([]float32, len(targets))
	dx := [2][]float64{make([]float64, len(targets)*width[0]), make([]float64, len(targets)*width[1])}
	dw := [2][]float64{make([]float64, len(w[0])), make([]float64, len(w[1]))}
	for r, target := range targets {
		z, slope, sum := make([]float64, V), make([]float64, V), 0.0
		for v := range V {
			for p := range 2 {
				for j := range width[p] {
					z[v] += float64(x[p][r*width[p]+j]) * float64(w[p][v*width[p]+j])
				}
			}
			z[v], slope[v] = capped64(z[v], most)
			sum += math.Exp(z[v])
		}
		nll[r] = float32(math.Log(sum) - z[target])
		for v := range V {
			d := math.Exp(z[v]) / sum
			if v == int(target) {
				d--
			}
			d *= slope[v]
			for p := range 2 {
				for j := range width[p] {
					dx[p][r*width[p]+j] += d * float64(w[p][v*width[p]+j])
					dw[p][v*width[p]+j] += d * float64(x[p][r*width[p]+j])
				}
			}
		}
	}
	return [][]float32{nll, rounded(dx[0]), rounded(dw[0]), rounded(dx[1]), rounded(dw[1])}
}

func rounded(v []float64) []float32 {
	out := make([]float32, len(v))
	for i := range v {
		out[i] = float32(v[i])
	}
	return out
}
