package model

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Batch is B rows of T token ids with their labels, row-major [B, T]. Labels are not shifted: the logits at t are scored
// against the label at t+1. A label of -100 is ignored.
//
// A row may hold several documents one after another. Segments then gives every token its document's number in the row, from
// 0 on; nil means one document a row. Documents do not see one another, positions count from 0 in each, and the label of a
// document's first token does not count, for nothing precedes it: a row of documents is exactly as many rows of one.
type Batch struct {
	B, T        int
	IDs, Labels []int32
	Segments    []int32
}

// plan is a batch as the programs take it. The rows that count come first, so that the loss can stop after them.
type plan struct {
	tokens    int     // supervised predictions
	positions []int32 // [B*T] position of each token in its document
	rows      []int32 // [k*c] place b·T+t of each prediction, 0 beyond tokens
	targets   []int32 // [k*c] its label, 0 beyond tokens
	inverse   []int32 // [B*T] the index of a place in rows, -1 for none
}

// plan checks a batch against the model and orders its predictions.
func (b Batch) plan(c Config) (plan, error) {
	n := b.B * b.T
	if b.B < 1 || b.T < 2 || len(b.IDs) != n || len(b.Labels) != n {
		return plan{}, fmt.Errorf("batch of %d×%d holds %d ids and %d labels", b.B, b.T, len(b.IDs), len(b.Labels))
	}
	if b.T > c.Positions {
		return plan{}, fmt.Errorf("rows of %d tokens; the model has %d positions%s", b.T, c.Positions, c.Beyond())
	}
	positions, err := b.positions()
	if err != nil {
		return plan{}, err
	}
	size := predictions(b.B, b.T, c.VocabSize)
	p := plan{
		positions: positions,
		rows:      make([]int32, size), targets: make([]int32, size), inverse: make([]int32, n),
	}
	for i := range n {
		p.inverse[i] = -1
		if id := b.IDs[i]; id < 0 || int(id) >= c.VocabSize {
			return plan{}, fmt.Errorf("token id %d at row %d, position %d; the vocabulary has %d", id, i/b.T, i%b.T, c.VocabSize)
		}
		if i%b.T == b.T-1 || b.Labels[i+1] == trial.IgnoredLabel || positions[i+1] == 0 {
			continue
		}
		label := b.Labels[i+1]
		if label < 0 || int(label) >= c.VocabSize {
			return plan{}, fmt.Errorf("label %d at row %d, position %d; the vocabulary has %d", label, i/b.T, i%b.T+1, c.VocabSize)
		}
		p.rows[p.tokens], p.targets[p.tokens] = int32(i), label
		p.inverse[i] = int32(p.tokens)
		p.tokens++
	}
	return p, nil
}

// span is a stretch of a plan's predictions, end excluded.
type span struct{ first, end int }

// completions returns the runs of supervised tokens that follow a token of their document which might have been supervised and is
// not. A document's first token is no such token, whatever its label: nothing predicts it.
func (p plan) completions(b Batch) []span {
	var all []span
	prompted := false // the run that prediction i belongs to is a completion
	for i, place := range p.rows[:p.tokens] {
		if i > 0 && place == p.rows[i-1]+1 {
			if prompted {
				all[len(all)-1].end++
			}
			continue
		}
		if prompted = p.positions[place] > 0 && b.Labels[place] == trial.IgnoredLabel; prompted {
			all = append(all, span{first: i, end: i + 1})
		}
	}
	return all
}

// positions returns every token's position in its document.
func (b Batch) positions() ([]int32, error) {
	n := b.B * b.T
	out := make([]int32, n)
	if b.Segments != nil && len(b.Segments) != n {
		return nil, fmt.Errorf("batch of %d×%d holds %d segments", b.B, b.T, len(b.Segments))
	}
	for i := range out {
		first := i%b.T == 0
		step := int32(0) // from the token before
		switch {
		case b.Segments == nil:
		case first:
			step = b.Segments[i]
		default:
			step = b.Segments[i] - b.Segments[i-1]
		}
		if step < 0 || step > 1 || first && step != 0 {
			return nil, fmt.Errorf("segment %d at row %d, position %d: segments count up from 0", b.Segments[i], i/b.T, i%b.T)
		}
		if !first && step == 0 {
			out[i] = out[i-1] + 1
		}
	}
	return out, nil
}

// predictions is the number of rows the loss makes room for: k·c of crossEntropy.
func predictions(B, T, vocab int) int {
	chunks, perChunk := chunking(B*(T-1), vocab)
	return chunks * perChunk
}

// batchShapes are the inputs that upload makes.
func batchShapes(B, T, vocab int) []shape {
	n := predictions(B, T, vocab)
	return []shape{i32(B, T), i32(B, T), i32(n), i32(n), i32(B * T), i32()}
}

// upload copies a planned batch to the device, in the order of batchShapes.
func (p plan) upload(d device, b Batch) ([]compute.Buffer, error) {
	n := len(p.rows)
	var buffers []compute.Buffer
	for _, in := range []struct {
		flat  any
		dtype dtypes.DType
		dims  []int
	}{
		{b.IDs, dtypes.Int32, []int{b.B, b.T}},
		{p.positions, dtypes.Int32, []int{b.B, b.T}},
		{p.rows, dtypes.Int32, []int{n}},
		{p.targets, dtypes.Int32, []int{n}},
		{p.inverse, dtypes.Int32, []int{b.B * b.T}},
		{[]int32{int32(p.tokens)}, dtypes.Int32, nil},
	} {
		buffer, err := d.upload(in.flat, in.dtype, in.dims...)
		if err != nil {
			finalizeAll(buffers...)
			return nil, err
		}
		buffers = append(buffers, buffer)
	}
	return buffers, nil
}
