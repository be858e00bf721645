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

// TestLookUp: the sum, the target's logit and hits of rows with many equal logits, for vocabularies of one block and of several, and
// of rows that hold a NaN or an infinity, be it the target's own logit or another's.
func TestLookUp(t *testing.T) {
	t.Parallel()
	const rows = 64
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, V := range []int{1, 5, 37, 48, 96} {
		random := rand.New(rand.NewPCG(3, uint64(V)))
		z, targets := make([]float32, rows*V), make([]int32, rows)
		for i := range z {
			z[i] = float32(random.IntN(6))
		}
		var want [3][]float32
		for r := range targets {
			row := z[r*V:][:V]
			targets[r] = int32(random.IntN(V))
			if r%3 > 0 {
				targets[r] = argmax(row)
			}
			if r%3 == 2 && V > 1 { // an equal one before or after it
				row[random.IntN(V)] = row[targets[r]]
			}
			hit, sum := float32(0), 0.0
			if argmax(row) == targets[r] {
				hit = 1
			}
			switch r {
			case 4:
				row[targets[r]], hit = nan, 0
			case 5:
				row[random.IntN(V)], hit = nan, 0
			case 7:
				row[targets[r]], hit = inf, 0
			}
			for _, v := range row {
				sum += math.Exp(float64(v))
			}
			want[0], want[1], want[2] = append(want[0], float32(math.Log(sum))), append(want[1], row[targets[r]]), append(want[2], hit)
		}
		for platform, open := range backends() {
			t.Run(fmt.Sprintf("%d/%s", V, platform), func(t *testing.T) {
				t.Parallel()
				got := runLookUp(t, device{open(t)}, z, targets)
				for r := range rows {
					finite := r != 4 && r != 5 && r != 7
					if finite && (math.Abs(float64(got[0][r]-want[0][r])) > 1e-6 || got[1][r] != want[1][r]) {
						t.Errorf("row %d: sum %v and logit %v, want %v and %v", r, got[0][r], got[1][r], want[0][r], want[1][r])
					}
					if got[2][r] != want[2][r] {
						t.Errorf("row %d, target %d of %v: hit %v, want %v", r, targets[r], z[r*V:][:V], got[2][r], want[2][r])
					}
				}
			})
		}
	}
}

// runLookUp returns lookUp's three answers.
func runLookUp(t *testing.T, d device, z []float32, targets []int32) [3][]float32 {
	t.Helper()
	c := len(targets)
	exec, err := d.build("look up", []shape{f32(c, len(z)/c), i32(c)}, func(in []*Node) []*Node {
		found := lookUp(in[0], in[1])
		return []*Node{found.logSum, found.own, found.hits}
	})
	must(t, err)
	defer exec.finalize()
	logits, err := d.upload(z, dtypes.Float32, c, len(z)/c)
	must(t, err)
	places, err := d.upload(targets, dtypes.Int32, c)
	must(t, err)
	out, err := exec.run([]compute.Buffer{logits, places}, nil)
	must(t, err)
	defer finalizeAll(append(out, logits, places)...)
	var all [3][]float32
	for i, b := range out {
		all[i], err = read(b, c)
		must(t, err)
	}
	return all
}

func TestBlockWidth(t *testing.T) {
	t.Parallel()
	for vocab, want := range map[int]int{50257: 1733, 49152: 3072, 2048: 128, 37: 37, 1: 1} {
		if got := blockWidth(vocab); got != want {
			t.Errorf("blockWidth(%d) = %d, want %d", vocab, got, want)
		}
	}
}

func TestEvaluationBatch(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ inner, rows, T, want int }{
		{512, 256, 64, 16},   // 1024 tokens at most
		{3072, 256, 128, 4},  // 512 at least
		{3072, 256, 1024, 1}, // a row at least
		{512, 33, 64, 11},    // three batches alike
		{512, 3, 64, 3},      // no more rows than there are
		{512, 0, 64, 1},
	} {
		p := &Program{config: Config{Inner: tc.inner}}
		if got := p.EvaluationBatch(tc.rows, tc.T); got != tc.want {
			t.Errorf("EvaluationBatch of %d rows of %d tokens, width %d = %d, want %d", tc.rows, tc.T, tc.inner, got, tc.want)
		}
	}
}
