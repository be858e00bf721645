package model

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
)

// Score is what a model makes of a batch, with dropout off.
type Score struct {
	LossSum float64 // nats, summed over the supervised tokens
	Tokens  int64   // supervised ones
	Hits    int64   // of these, how many argmax picks: the highest logit, the lowest id among equals
	// Completions are the runs of supervised tokens that follow an unsupervised one which is not its document's first: the answers to
	// a prompt, each answer of a conversation on its own. ExactMatches are those of which every token is a hit.
	Completions, ExactMatches int64
}

// What an evaluation takes at once (measured, experiments/LOG.md 2026-11-29): small models pay for every operation however small it is,
// large ones lose nothing from fewestTokens on. evaluationValues bounds the widest activation: 2 MiB in float32.
const (
	fewestTokens, mostTokens = 512, 1024
	evaluationValues         = 1 << 19
)

// evaluationLogits bounds the logits that an evaluation holds, 28 MiB. For more than 32 MiB glibc's malloc takes new pages from the
// system every time, and the system clears them.
const evaluationLogits = 7 << 20

// EvaluationBatch is how many rows of T tokens an evaluation of so many rows takes at once: it depends on the model, and evens out the
// batches.
func (p *Program) EvaluationBatch(rows, T int) int {
	tokens := min(max(evaluationValues/p.config.Inner, fewestTokens), mostTokens)
	return evenly(rows, max(1, tokens/T))
}

// evenly returns the size of the fewest parts of n that are no larger than most, all alike.
func evenly(n, most int) int {
	parts := max(1, (n+most-1)/most)
	return max(1, (n+parts-1)/parts)
}

// CompileEvaluation compiles what Score needs for batches of B×T.
func (p *Program) CompileEvaluation(B, T int) error {
	_, _, _, err := p.evaluator().compile(B, T)
	return err
}

// Score scores a batch.
func (p *Program) Score(b Batch) (Score, error) {
	rows, err := p.scoreRows(b)
	if err != nil {
		return Score{}, fmt.Errorf("evaluate: %w", err)
	}
	p.beat()
	s := Score{Tokens: int64(rows.tokens)}
	for i := range rows.tokens {
		s.LossSum += float64(rows.nll[i])
		s.Hits += int64(rows.hits[i])
	}
	for _, c := range rows.completions(b) {
		s.Completions++
		if !slices.Contains(rows.hits[c.first:c.end], 0) {
			s.ExactMatches++
		}
	}
	return s, nil
}

func (p *Program) scoreRows(b Batch) (rowScores, error) { return p.evaluator().score(p.p, b) }

// evaluator returns what scores with the parameters of the moment.
func (p *Program) evaluator() evaluator {
	return evaluator{
		device: p.device, forward: p.evaluate, config: p.config, params: f32(p.layout.total), base: p.base, shapes: p.baseShapes(),
		trunk: func(params *Node, base []*Node) trunk { return p.trunk(p.layout.nodes(params), nil, base) },
	}
}

// rowScores are the supervised predictions' losses and hits, in the plan's order, for the supervised predictions first.
type rowScores struct {
	plan
	nll, hits []float32
}

// forward holds the executables of evaluations: those of the hidden states by batch shape, those of the head by the number of hidden
// states and of the rows that it scores at once.
type forward struct{ hidden, head cache }

func (f forward) finalize() {
	f.hidden.finalize()
	f.head.finalize()
}

// evaluator scores batches in two programs: the hidden states of the whole batch, then the logits of a chunk of supervised rows, again
// and again while there are any. The training step is one program with a loop, in which go-xla can take neither maximum nor sum; the
// detours around that would cost an evaluation more (measured, experiments/LOG.md 2026-11-29).
type evaluator struct {
	device
	forward
	config Config
	params shape // [N]
	base   []compute.Buffer
	shapes []shape // of base
	trunk  func(params *Node, base []*Node) trunk
}

// compile compiles what batches of B×T need. The head scores c rows at once.
func (e evaluator) compile(B, T int) (hidden, head *executable, c int, err error) {
	hidden, err = e.hidden.get(e.device, "evaluation", B, T, e.inputs(i32(B, T), i32(B, T)), func(in []*Node) []*Node {
		return []*Node{e.trunk(in[0], in[3:]).hidden(in[1], in[2])}
	})
	if err != nil {
		return nil, nil, 0, err
	}
	states := hidden.graph.Executable().Outputs()
	c = evenly(B*(T-1), max(1, evaluationLogits/e.config.VocabSize))
	head, err = e.head.get(e.device, "evaluation's head", B*T, c, e.inputs(states[0], i32(c), i32(c)), func(in []*Node) []*Node {
		nll, hits := e.trunk(in[0], in[4:]).score(takeRows(in[1], in[2]), in[3])
		return []*Node{nll, hits}
	})
	return hidden, head, c, err
}

// inputs are those of a program: (p [N], own…, base…).
func (e evaluator) inputs(own ...shape) []shape {
	return slices.Concat([]shape{e.params}, own, e.shapes)
}

func (e evaluator) score(p compute.Buffer, b Batch) (rowScores, error) {
	pl, err := b.plan(e.config)
	if err != nil {
		return rowScores{}, err
	}
	hidden, head, c, err := e.compile(b.B, b.T)
	if err != nil {
		return rowScores{}, err
	}
	in, err := e.uploadInt32([]int{b.B, b.T}, b.IDs, pl.positions)
	if err != nil {
		return rowScores{}, err
	}
	defer finalizeAll(in...)
	states, err := hidden.run(slices.Concat([]compute.Buffer{p}, in, e.base), nil)
	if err != nil {
		return rowScores{}, err
	}
	defer finalizeAll(states...)
	scores := rowScores{plan: pl}
	for first := 0; first < pl.tokens; first += c {
		rows, targets := make([]int32, c), make([]int32, c)
		copy(rows, pl.rows[first:pl.tokens])
		copy(targets, pl.targets[first:pl.tokens])
		nll, hits, err := e.scoreChunk(head, p, states[0], rows, targets)
		if err != nil {
			return rowScores{}, err
		}
		scores.nll, scores.hits = append(scores.nll, nll...), append(scores.hits, hits...)
	}
	return scores, nil
}

// scoreChunk scores c rows of the hidden states.
func (e evaluator) scoreChunk(head *executable, p, states compute.Buffer, rows, targets []int32) (nll, hits []float32, err error) {
	in, err := e.uploadInt32([]int{len(rows)}, rows, targets)
	if err != nil {
		return nil, nil, err
	}
	defer finalizeAll(in...)
	out, err := head.run(slices.Concat([]compute.Buffer{p, states}, in, e.base), nil)
	if err != nil {
		return nil, nil, err
	}
	defer finalizeAll(out...)
	if nll, err = read(out[0], len(rows)); err != nil {
		return nil, nil, err
	}
	hits, err = read(out[1], len(rows))
	return nll, hits, err
}
