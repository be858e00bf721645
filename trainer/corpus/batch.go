package corpus

import (
	"cmp"
	"iter"
	"slices"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Batch is B rows of T ids with their labels and segments, row-major [B, T].
type Batch struct {
	B, T        int
	IDs, Labels []int32
	Segments    []int32
}

// Pad makes a batch of a fixed shape from at most size rows of at most length ids. What it adds is not scored; nothing in a row looks
// ahead, so the padding after it is of its last segment.
func Pad(rows []Row, size, length int) Batch {
	b := Batch{B: size, T: length, IDs: make([]int32, size*length), Labels: make([]int32, size*length), Segments: make([]int32, size*length)}
	for i := range b.Labels {
		b.Labels[i] = trial.IgnoredLabel
	}
	for i, r := range rows {
		copy(b.IDs[i*length:], r.IDs)
		copy(b.Labels[i*length:], r.Labels)
		segments := b.Segments[i*length : (i+1)*length]
		for j := copy(segments, r.Segments); 0 < j && j < length; j++ {
			segments[j] = segments[j-1]
		}
	}
	return b
}

// Batches cuts a corpus into the batches that a trial trains on.
type Batches struct {
	Corpus       *Corpus
	Sampler      *Sampler
	Size         int // rows in a batch
	Accumulation int // batches in a step
	Micro        int // rows in a forward pass, where a batch is cut into several; 0: all
}

// Step returns the batches of a training step, counted from 1, cut into forward passes. They follow from the step alone: step s draws the
// rows numbered from (s-1)·Accumulation·Size on.
func (b Batches) Step(step int) []Batch {
	var batches []Batch
	position, micro := int64(step-1)*int64(b.Accumulation)*int64(b.Size), cmp.Or(b.Micro, b.Size)
	for range b.Accumulation {
		rows := make([]Row, b.Size)
		for j := range rows {
			rows[j] = b.Corpus.Train().Row(b.Sampler.Row(position))
			position++
		}
		for part := range slices.Chunk(rows, micro) {
			batches = append(batches, Pad(part, micro, b.Corpus.train.length))
		}
	}
	return batches
}

// Batches yields every row once, in order, size rows at a time and only their first length ids. The last batch is filled up with rows
// that do not count.
func (r Rows) Batches(size, length int) iter.Seq[Batch] {
	return func(yield func(Batch) bool) {
		for first := 0; first < r.Len(); first += size {
			var list []Row
			for i := first; i < min(first+size, r.Len()); i++ {
				row := r.Row(i)
				list = append(list, Row{IDs: row.IDs[:length], Labels: row.Labels[:length], Segments: row.Segments[:length]})
			}
			if !yield(Pad(list, size, length)) {
				return
			}
		}
	}
}
