package corpus

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// validationSeed draws validation_sequences: fixed, so that every sweep on this corpus scores the same rows.
const validationSeed = 0x76616c6964617465

// shaper cuts and pads the rows of one side to the sequence length and checks them against the model.
type shaper struct {
	key    string // data.train, data.validation or data.retain
	length int
	vocab  int
	rows   int
	cut    int // rows that were longer
}

func newShaper(key string, p *plan) *shaper {
	return &shaper{key: key, length: p.spec.SequenceLength, vocab: p.model.VocabSize}
}

// shape returns a row of exactly the sequence length. Ids beyond the vocabulary and a row without supervised tokens are
// errors. Longer rows are cut at the right, as Hugging Face's truncation does.
func (s *shaper) shape(r row) (row, error) {
	s.rows++
	if err := r.CheckVocabulary(s.vocab); err != nil {
		return row{}, fmt.Errorf("%w: %s: %w; name the model whose tokenizer made the ids, or make them anew with this one's",
			trial.ErrInput, s.where(r), err)
	}
	n := min(len(r.IDs), s.length)
	if supervised(r.Labels[:n]) == 0 {
		return row{}, fmt.Errorf("%w: %s: no supervised token among the first %d: what is scored is missing or lies beyond "+
			"sequence_length; leave the row out, or raise sequence_length", trial.ErrInput, s.where(r), n)
	}
	if n < len(r.IDs) {
		s.cut++
	}
	padded := Pad([]Row{{IDs: r.IDs[:n], Labels: r.Labels[:n], Segments: r.Segments[:min(n, len(r.Segments))]}}, 1, s.length)
	return row{Row: Row{IDs: padded.IDs, Labels: padded.Labels, Segments: padded.Segments}, place: r.place}, nil
}

func (s *shaper) where(r row) string {
	if r.place == "" {
		return fmt.Sprintf("%s, row %d", s.key, s.rows)
	}
	return r.place
}

func (s *shaper) warnings() []string {
	if s.cut == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s: %d of %d rows are longer than sequence_length %d and are cut there", s.key, s.cut, s.rows, s.length)}
}

// reservoir keeps size of the rows it is given, each with the same chance (Vitter 1985, algorithm R).
type reservoir struct {
	size   int
	random *stream
	seen   int
	kept   []keptRow
}

type keptRow struct {
	row
	index int
}

func (v *reservoir) add(r row) {
	k := keptRow{row: r, index: v.seen}
	v.seen++
	if len(v.kept) < v.size {
		v.kept = append(v.kept, k)
		return
	}
	if at := v.random.below(v.seen); at < v.size {
		v.kept[at] = k
	}
}

// inOrder returns the kept rows in file order.
func (v *reservoir) inOrder() []row {
	slices.SortFunc(v.kept, func(a, b keptRow) int { return cmp.Compare(a.index, b.index) })
	rows := make([]row, len(v.kept))
	for i, k := range v.kept {
		rows[i] = k.row
	}
	return rows
}
