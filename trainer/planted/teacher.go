package planted

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/trainer/corpus"
	"github.com/ranksweep/ranksweep/trainer/model"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// Teacher says what to plant.
type Teacher struct {
	Targets []lora.Module
	Rank    int
	Norm    float64 // root mean square of what one of the rank directions adds to a module's output
	Seed    int64
}

// Adapter returns a random adapter of exactly this rank, as strong in each of its directions as in any other. inputs holds
// what each target module is given on rows of the kind that the teacher will write, [n, in].
//
// A random B·A would not do: a network's activations have a large mean and a few strong directions, and a student of rank 1
// learns what B·A makes of those. So every row of A is taken orthogonal to the mean and from the span of the strongest
// principal components, scaled to unit variance and uncorrelated with the other rows (a whitening), and B has orthogonal
// columns of length Norm. Then each rank below the teacher's misses as much as the one before it, and none above gains.
// lora_alpha equals the rank, so that the scaling is 1.
func (t Teacher) Adapter(inputs map[string]weights.Array) (weights.Adapter, error) {
	tensors := make(map[string]weights.Array, 2*len(t.Targets))
	names := make([]string, len(t.Targets))
	random := rand.New(rand.NewPCG(uint64(t.Seed), 0x706c616e746564))
	for i, m := range t.Targets {
		names[i] = m.Name
		A, err := t.features(random, inputs[m.Name])
		if err != nil {
			return weights.Adapter{}, fmt.Errorf("module %s: %w", m.Name, err)
		}
		B := orthonormal(gaussian(random, m.Out, t.Rank))
		B.Scale(t.Norm, B)
		tensors[weights.KeyA(m.Name)], tensors[weights.KeyB(m.Name)] = array(A), array(B)
	}
	spec := lora.Spec{Rank: t.Rank, Alpha: float64(t.Rank), TargetModules: lora.Targets{List: names}}
	return weights.Adapter{Config: weights.NewAdapterConfig("", spec, t.Targets), Tensors: tensors}, nil
}

// componentsPerRank is how many principal components a direction of the teacher is drawn from: the weaker ones would be
// blown up to unit variance from what is little more than noise.
const componentsPerRank = 4

// features draws A, [rank, in]: rank linear features of x that have mean 0 and unit covariance on the rows of x.
func (t Teacher) features(random *rand.Rand, x weights.Array) (*mat.Dense, error) {
	k := componentsPerRank * t.Rank
	if k+1 > x.Shape[1] {
		return nil, fmt.Errorf("rank %d is too large for a width of %d", t.Rank, x.Shape[1])
	}
	mean, whiten, err := whitening(x, k)
	if err != nil {
		return nil, err
	}
	var whiteMean mat.VecDense
	whiteMean.MulVec(whiten, mean)
	g := gaussian(random, k, t.Rank+1)
	g.SetCol(0, whiteMean.RawVector().Data)
	U := orthonormal(g).Slice(0, k, 1, t.Rank+1) // orthogonal to the mean
	var A mat.Dense
	A.Mul(U.T(), whiten)
	return &A, nil
}

// whitening returns the mean of the rows of x and the map [k, in] to its k strongest principal components, each of unit
// variance.
func whitening(x weights.Array, k int) (*mat.VecDense, *mat.Dense, error) {
	n, in := x.Shape[0], x.Shape[1]
	X := mat.NewDense(n, in, nil)
	mean := mat.NewVecDense(in, nil)
	for i := range n {
		for j := range in {
			v := float64(x.Data[i*in+j])
			X.Set(i, j, v)
			mean.SetVec(j, mean.AtVec(j)+v/float64(n))
		}
	}
	covariance := mat.NewSymDense(in, nil)
	stat.CovarianceMatrix(covariance, X, nil)
	var eigen mat.EigenSym
	if !eigen.Factorize(covariance, true) {
		return nil, nil, errors.New("no principal components")
	}
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	values := eigen.Values(nil) // ascending
	whiten := mat.NewDense(k, in, nil)
	for i := range k {
		c := in - 1 - i
		if values[c] <= 0 {
			return nil, nil, fmt.Errorf("its inputs have fewer than %d principal components", k)
		}
		for j := range in {
			whiten.Set(i, j, vectors.At(j, c)/math.Sqrt(values[c]))
		}
	}
	return mean, whiten, nil
}

func gaussian(random *rand.Rand, rows, columns int) *mat.Dense {
	g := mat.NewDense(rows, columns, nil)
	for i := range rows {
		for j := range columns {
			g.Set(i, j, random.NormFloat64())
		}
	}
	return g
}

// orthonormal returns the Q of g = QR: as many orthonormal columns as g has.
func orthonormal(g *mat.Dense) *mat.Dense {
	var qr mat.QR
	qr.Factorize(g)
	var q mat.Dense
	qr.QTo(&q)
	rows, columns := g.Dims()
	return mat.DenseCopyOf(q.Slice(0, rows, 0, columns))
}

func array(m *mat.Dense) weights.Array {
	rows, columns := m.Dims()
	a := weights.Array{Shape: []int{rows, columns}, Data: make([]float32, 0, rows*columns)}
	for i := range rows {
		for j := range columns {
			a.Data = append(a.Data, float32(m.At(i, j)))
		}
	}
	return a
}

// Sample draws rows of T ids from p, one id after the other from the model's own distribution (temperature 1), each row
// after the id start. Row i depends on (seed, i) alone.
func Sample(p *model.Program, vocab, rows, T int, start int32, seed int64, progress func(done int)) ([][]int32, error) {
	const together = 64
	out := make([][]int32, 0, rows)
	for len(out) < rows {
		batch, err := sampleBatch(p, vocab, together, T, start, seed, len(out))
		if err != nil {
			return nil, err
		}
		out = append(out, batch[:min(together, rows-len(out))]...)
		progress(len(out))
	}
	return out, nil
}

// window is the step in which the rows given to the model grow: short rows cost less, and every length is compiled once.
const window = 8

func sampleBatch(p *model.Program, vocab, B, T int, start int32, seed int64, first int) ([][]int32, error) {
	rows := make([][]int32, B)
	random := make([]*rand.Rand, B)
	for i := range B {
		rows[i] = append(make([]int32, 0, T), start)
		random[i] = rand.New(rand.NewPCG(uint64(seed), uint64(first+i)))
	}
	for t := 1; t < T; t++ {
		last := slices.Repeat([]int32{int32(t - 1)}, B)
		logits, err := p.NextLogits(batchOf(rows, min(T, (t+window-1)/window*window)), last)
		if err != nil {
			return nil, fmt.Errorf("sample id %d of rows %d to %d: %w", t, first, first+B-1, err)
		}
		for i := range rows {
			rows[i] = append(rows[i], draw(logits.Data[i*vocab:(i+1)*vocab], random[i].Float64()))
		}
	}
	return rows, nil
}

// batchOf makes a batch of T ids a row, none of them scored.
func batchOf(rows [][]int32, T int) model.Batch {
	list := make([]corpus.Row, len(rows))
	for i, ids := range rows {
		list[i].IDs = ids
	}
	return model.Batch(corpus.Pad(list, len(list), T))
}

// draw returns the index at which the cumulative softmax of the logits passes u in [0, 1).
func draw(logits []float32, u float64) int32 {
	top := logits[0]
	for _, z := range logits {
		top = max(top, z)
	}
	sum := 0.0
	for _, z := range logits {
		sum += math.Exp(float64(z - top))
	}
	u *= sum
	for i, z := range logits {
		if u -= math.Exp(float64(z - top)); u < 0 {
			return int32(i)
		}
	}
	return int32(len(logits) - 1)
}
