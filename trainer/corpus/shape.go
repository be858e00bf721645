package corpus

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/records"
)

// validationSeed draws validation_sequences: fixed, so that every sweep on this corpus scores the same rows.
const validationSeed = 0x76616c6964617465

// shaper cuts and pads the rows of one side to the sequence length and checks them against the model.
type shaper struct {
	key      string // data.train, data.validation or data.retain
	length   int
	vocab    int
	longRows string // data.long_rows
	rows     int
	long     []string // where the first rows are that were longer
	cut      int      // rows that were longer
}

func newShaper(key string, p *plan) *shaper {
	return &shaper{key: key, length: p.spec.SequenceLength, vocab: p.model.VocabSize, longRows: p.spec.LongRows}
}

// errTooLong is about a row that a larger sequence_length would let in.
var errTooLong = errors.New("more than sequence_length")

// shape returns a row of exactly the sequence length; none for a longer one that is dropped. Ids beyond the vocabulary and a row
// without supervised tokens are errors. Longer rows are cut at the right, as Hugging Face's truncation does, unless data.long_rows says
// otherwise.
func (s *shaper) shape(r row) (_ row, keep bool, err error) {
	s.rows++
	if err := r.CheckVocabulary(s.vocab); err != nil {
		return row{}, false, s.bad(r, "%w; name the model whose tokenizer made the ids, or make them anew with this one's", err)
	}
	n := min(len(r.IDs), s.length)
	if n < len(r.IDs) {
		if s.longRows == trial.LongRowsError {
			return row{}, false, s.bad(r, "%d ids, %w %d, which data.long_rows: error refuses; shorten the row, or raise sequence_length",
				len(r.IDs), errTooLong, n)
		}
		if s.cut++; s.cut <= maxNamed {
			s.long = append(s.long, s.where(r))
		}
		if s.longRows == trial.LongRowsDrop {
			return row{}, false, nil
		}
	}
	if supervised(r.Labels[:n]) == 0 {
		if n < len(r.IDs) {
			return row{}, false, s.bad(r, "no supervised token among the first %d of %d ids, %w; raise sequence_length, or leave such rows out "+
				"with data.long_rows: drop", n, len(r.IDs), errTooLong)
		}
		return row{}, false, s.bad(r, "no supervised token among the first %d, which are all; leave the row out", n)
	}
	padded := Pad([]Row{{IDs: r.IDs[:n], Labels: r.Labels[:n], Segments: r.Segments[:min(n, len(r.Segments))]}}, 1, s.length)
	return row{Row: Row{IDs: padded.IDs, Labels: padded.Labels, Segments: padded.Segments}, place: r.place}, true, nil
}

// bad is what is wrong with a row.
func (s *shaper) bad(r row, format string, args ...any) error {
	return &records.RowError{Err: fmt.Errorf("%w: %s: %w", trial.ErrInput, s.where(r), fmt.Errorf(format, args...))}
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
	fate := "cut there"
	if s.longRows == trial.LongRowsDrop {
		fate = "left out (data.long_rows: drop)"
	}
	return []string{fmt.Sprintf("%s: %d of %d rows are longer than sequence_length %d and are %s: %s", s.key, s.cut, s.rows, s.length, fate,
		named(s.long, s.cut))}
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
