package model

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// TestHitsOfLogits: hits are the supervised places whose logits are highest at the label. Random labels of 512 are hardly ever hits:
// half of them are made so.
func TestHitsOfLogits(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{tiny, "testdata/tiny-llama"} {
		for platform, open := range backends() {
			t.Run(dir+"/"+platform, func(t *testing.T) {
				t.Parallel()
				p := newBare(t, open(t), dir)
				b := tinyInputs(t).batch(t)
				logits, err := p.Logits(b)
				must(t, err)
				var hits, tokens int64
				for place := range b.IDs[:len(b.IDs)-1] {
					next := place + 1
					if next%b.T == 0 || b.Labels[next] < 0 {
						continue
					}
					top := argmax(logits.Data[place*p.config.VocabSize:][:p.config.VocabSize])
					if place%2 == 0 {
						b.Labels[next] = top
					}
					tokens++
					if b.Labels[next] == top {
						hits++
					}
				}
				got, err := p.Score(b)
				must(t, err)
				if got.Hits != hits || got.Tokens != tokens || hits == 0 || hits == tokens {
					t.Errorf("Score = %+v, want %d hits of %d", got, hits, tokens)
				}
			})
		}
	}
}

func argmax(row []float32) int32 {
	best := 0
	for i, v := range row {
		if v > row[best] {
			best = i
		}
	}
	return int32(best)
}

// TestHitsChunks looks for hits in every number of chunks, for a frozen head and for one that trains, against the logits' own
// maxima; the losses keep their bits.
func TestHitsChunks(t *testing.T) {
	t.Parallel()
	const rows, V, C = 12, 40, 8
	random := rand.New(rand.NewPCG(3, 4))
	x, head := make([]float32, rows*C), make([]float32, V*C)
	for _, v := range [][]float32{x, head} {
		for i := range v {
			v[i] = float32(random.NormFloat64())
		}
	}
	ties := 0
	for j := range C { // the first token is the likeliest after rows 1 and 2; the last has always the same logit and is never a hit
		head[j] = 3 * (x[C+j] + x[2*C+j])
	}
	copy(head[C*(V-1):], head[:C])
	targets, want := make([]int32, rows), make([]float32, rows)
	for r := range targets {
		z := make([]float32, V)
		for v := range z {
			for j := range C {
				z[v] += x[r*C+j] * head[v*C+j]
			}
		}
		top := argmax(z)
		targets[r], want[r] = top, 1
		if r%3 == 0 {
			targets[r], want[r] = (top+1)%V, 0
		}
		if top == 0 {
			ties++
			if ties%2 == 0 {
				targets[r], want[r] = V-1, 0
			}
		}
	}
	if ties < 2 {
		t.Fatalf("%d rows whose highest logit is there twice, want some", ties)
	}
	for platform, open := range backends() {
		t.Run(platform, func(t *testing.T) {
			t.Parallel()
			d := device{open(t)}
			for _, chunks := range []int{1, 3, 12} {
				c := rows / chunks
				run := func(tokens int, graph func(x, head, targets, tokens *Node) []*Node) [][]float32 {
					exec, err := d.build("hits", []shape{f32(rows, C), f32(V, C), i32(rows), i32()}, func(in []*Node) []*Node {
						return graph(in[0], in[1], in[2], in[3])
					})
					must(t, err)
					defer exec.finalize()
					return runHits(t, d, exec, x, head, targets, tokens)
				}
				for _, tokens := range []int{rows, c} {
					frozen := run(tokens, func(x, head, targets, tokens *Node) []*Node {
						out := crossEntropy{head: head, chunks: chunks, rows: c, hits: true}.run(x, targets, tokens)
						return []*Node{out.hits, out.nll}
					})
					trained := run(tokens, func(x, head, targets, tokens *Node) []*Node {
						return []*Node{headLoss{chunks: chunks, rows: c, hits: true}.run([]headPart{{x, head, true}}, targets, tokens).hits}
					})
					plain := run(tokens, func(x, head, targets, tokens *Node) []*Node {
						return []*Node{crossEntropy{head: head, chunks: chunks, rows: c}.run(x, targets, tokens).nll}
					})
					for name, hits := range map[string][]float32{"frozen": frozen[0], "trained": trained[0]} {
						if diff := maxDiff(hits[:tokens], want[:tokens]); diff != 0 {
							t.Errorf("%d chunks, %d tokens, %s head: hits %v, want %v", chunks, tokens, name, hits[:tokens], want[:tokens])
						}
					}
					if diff := maxDiff(frozen[1][:tokens], plain[0][:tokens]); diff != 0 {
						t.Errorf("%d chunks, %d tokens: losses differ by %g beside hits", chunks, tokens, diff)
					}
				}
			}
		})
	}
}

// TestNaNIsNoHit: a row with a NaN among its logits has no likeliest token, be it the target's own logit or another's.
func TestNaNIsNoHit(t *testing.T) {
	t.Parallel()
	const rows, V = 4, 5
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	z := []float32{
		0, 1, 2, 3, 9,
		0, nan, 2, 3, 9,
		nan, nan, nan, nan, nan,
		0, 1, 2, 3, inf,
	}
	identity := make([]float32, V*V)
	for i := range V {
		identity[i*V+i] = 1
	}
	for platform, open := range backends() {
		t.Run(platform, func(t *testing.T) {
			t.Parallel()
			d := device{open(t)}
			exec, err := d.build("hits", []shape{f32(rows, V), f32(V, V), i32(rows), i32()}, func(in []*Node) []*Node {
				return []*Node{isTop(in[0], in[2], Ones(in[0].Graph(), f32(V)))}
			})
			must(t, err)
			defer exec.finalize()
			got := runHits(t, d, exec, z, identity, []int32{4, 4, 4, 4}, rows)[0]
			// The infinite row counts as none: its loss is NaN.
			if diff := maxDiff(got, []float32{1, 0, 0, 0}); diff != 0 {
				t.Errorf("hits %v, want the first row alone", got)
			}
		})
	}
}

// runHits returns what exec makes of the rows: [rows] each.
func runHits(t *testing.T, d device, exec *executable, x, head []float32, targets []int32, tokens int) [][]float32 {
	t.Helper()
	rows := len(targets)
	var in []compute.Buffer
	for _, a := range []struct {
		flat  any
		dtype dtypes.DType
		dims  []int
	}{
		{x, dtypes.Float32, []int{rows, len(x) / rows}},
		{head, dtypes.Float32, []int{len(head) * rows / len(x), len(x) / rows}},
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
	var all [][]float32
	for _, b := range out {
		flat, err := read(b, rows)
		must(t, err)
		all = append(all, flat)
	}
	return all
}
