package corpus

import (
	"fmt"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/records"
)

// row is one sequence before it is cut or padded: at least one id, as many labels.
type row struct {
	Row
	place string // file:line of a row; empty for packed text
}

// supervised counts the labels that are scored: the first id of a row is never predicted.
func supervised(labels []int32) int {
	n := 0
	for _, label := range labels[min(1, len(labels)):] {
		if label != trial.IgnoredLabel {
			n++
		}
	}
	return n
}

// assembler makes rows of one side's documents, in order, and hands them to emit.
type assembler struct {
	enc     *encoder
	length  int // SequenceLength
	packing bool
	emit    func(row) error

	pending row   // packed documents that do not fill a row yet
	tokens  int64 // ids of packed text so far
	rows    int   // emitted
}

func (a *assembler) add(doc records.Document) error {
	rows, packs, err := a.enc.encode(doc)
	if err != nil {
		return err
	}
	if packs && a.packing {
		return a.pack(rows[0].IDs)
	}
	if packs && len(rows[0].IDs) == 0 && doc.Size == 0 {
		return nil // a text file without text
	}
	if err := a.flush(); err != nil { // rows stay in the order of the inputs
		return err
	}
	for _, r := range rows {
		if err := a.send(r); err != nil {
			return err
		}
	}
	return nil
}

// pack appends a document to the pending row and emits what is full. A document that reaches beyond the row's end goes on in
// the next row, as a segment of its own. A document's first id is not predicted from another document.
func (a *assembler) pack(ids []int32) error {
	a.tokens += int64(len(ids))
	for len(ids) > 0 {
		p := &a.pending
		n, segment := min(len(ids), a.length-len(p.IDs)), int32(0)
		if at := len(p.IDs); at > 0 {
			segment = p.Segments[at-1] + 1
		}
		at := len(p.IDs)
		p.IDs, p.Labels = append(p.IDs, ids[:n]...), append(p.Labels, ids[:n]...)
		if at > 0 {
			p.Labels[at] = trial.IgnoredLabel
		}
		for range n {
			p.Segments = append(p.Segments, segment)
		}
		ids = ids[n:]
		if len(p.IDs) == a.length {
			if err := a.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush emits the pending row. One that predicts nothing is dropped.
func (a *assembler) flush() error {
	r := a.pending
	a.pending = row{}
	if supervised(r.Labels) == 0 {
		return nil
	}
	return a.send(r)
}

func (a *assembler) send(r row) error {
	a.rows++
	return a.emit(r)
}

// finish flushes and refuses a side that is empty or shorter than one row of text. key is data.train or its like, inputs are
// what the side was read from.
func (a *assembler) finish(key string, inputs []records.Input) error {
	short := a.short()
	if err := a.flush(); err != nil {
		return err
	}
	if a.rows == 0 {
		return errEmpty(key, inputs)
	}
	if short {
		return fmt.Errorf("%w: %s is too short: %d token ids of %s do not fill one row of sequence_length %d: lower data.sequence_length, "+
			"or use more text",
			trial.ErrInput, key, a.tokens, listed(inputs), a.length)
	}
	return nil
}

// short reports whether packing has not filled a single row. It is called before flush.
func (a *assembler) short() bool { return a.tokens > 0 && a.rows == 0 }

func errEmpty(key string, inputs []records.Input) error {
	return fmt.Errorf("%w: %s is empty: no token to predict in %s: fill the file, or name another", trial.ErrInput, key, listed(inputs))
}

// listed names the first inputs and counts the rest.
func listed(inputs []records.Input) string {
	const most = 3
	var names []string
	for _, in := range inputs[:min(most, len(inputs))] {
		names = append(names, in.Name)
	}
	if more := len(inputs) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}
