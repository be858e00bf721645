package data

import (
	"fmt"
	"strings"

	"github.com/ranksweep/ranksweep/sweep"
)

// row is one sequence before it is cut or padded: at least one id, as many labels.
type row struct {
	ids, labels []int32
	place       string // file:line of a pre-tokenised row; empty for text
}

// supervised counts the labels that are scored: the first id of a row is never predicted.
func supervised(labels []int32) int {
	n := 0
	for _, label := range labels[min(1, len(labels)):] {
		if label != IgnoredLabel {
			n++
		}
	}
	return n
}

// assembler makes rows of one side's documents, in order, and hands them to emit.
type assembler struct {
	tok     *Tokenizer // nil where no input is text
	length  int        // SequenceLength
	packing bool
	emit    func(row) error

	pending []int32 // packed ids that do not fill a row yet
	texts   int     // documents of text so far
	tokens  int64   // ids of text so far
	rows    int     // emitted
}

func (a *assembler) add(doc document) error {
	if doc.ids != nil {
		if err := a.flush(); err != nil { // rows stay in the order of the inputs
			return err
		}
		return a.send(row{ids: doc.ids, labels: doc.labels, place: doc.place})
	}
	ids := a.tok.Encode(doc.text)
	if len(ids) == 0 {
		return nil
	}
	a.tokens += int64(len(ids))
	a.texts++
	if !a.packing {
		return a.sendText(ids)
	}
	if eos, ok := a.tok.EOS(); ok && a.texts > 1 {
		a.pending = append(a.pending, eos)
	}
	a.pending = append(a.pending, ids...)
	for len(a.pending) >= a.length {
		full := a.pending[:a.length:a.length]
		a.pending = a.pending[a.length:]
		if err := a.send(row{ids: full, labels: full}); err != nil {
			return err
		}
	}
	return nil
}

// flush emits what packing has left over.
func (a *assembler) flush() error {
	rest := a.pending
	a.pending = nil
	return a.sendText(rest)
}

// sendText emits a row of text. One id alone predicts nothing and is dropped.
func (a *assembler) sendText(ids []int32) error {
	if len(ids) < 2 {
		return nil
	}
	return a.send(row{ids: ids, labels: ids})
}

func (a *assembler) send(r row) error {
	a.rows++
	return a.emit(r)
}

// finish flushes and refuses a side that is empty or shorter than one row of text. key is data.train or data.validation, inputs
// are what the side was read from.
func (a *assembler) finish(key string, inputs []input) error {
	short := a.short()
	if err := a.flush(); err != nil {
		return err
	}
	if a.rows == 0 {
		return errEmpty(key, inputs)
	}
	if short {
		return fmt.Errorf("%w: %s is too short: %d tokens of %s do not fill one row of sequence_length %d: lower data.sequence_length, or use more text",
			sweep.ErrInput, key, a.tokens, listed(inputs), a.length)
	}
	return nil
}

// short reports whether packing has not filled a single row. It is called before flush.
func (a *assembler) short() bool { return a.packing && a.texts > 0 && a.rows == 0 }

func errEmpty(key string, inputs []input) error {
	return fmt.Errorf("%w: %s is empty: no token to predict in %s: fill the file, or name another", sweep.ErrInput, key, listed(inputs))
}

// listed names the first inputs and counts the rest.
func listed(inputs []input) string {
	const most = 3
	var names []string
	for _, in := range inputs[:min(most, len(inputs))] {
		names = append(names, in.name)
	}
	if more := len(inputs) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}
