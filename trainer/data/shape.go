package data

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
	vocab  int32
	rows   int
	cut    int // rows that were longer
}

func newShaper(key string, p *plan) *shaper {
	return &shaper{key: key, length: p.spec.SequenceLength, vocab: int32(p.model.VocabSize)}
}

// shape returns a row of exactly the sequence length. Ids beyond the vocabulary and a row without supervised tokens are
// errors. Longer rows are cut at the right, as Hugging Face's truncation does.
func (s *shaper) shape(r row) (row, error) {
	s.rows++
	if err := checkVocabulary(r, s.vocab); err != nil {
		return row{}, fmt.Errorf("%w: %s: %w; name the model whose tokenizer made the ids, or make them anew with this one's", trial.ErrInput, s.where(r), err)
	}
	n := min(len(r.ids), s.length)
	if supervised(r.labels[:n]) == 0 {
		return row{}, fmt.Errorf("%w: %s: no supervised token among the first %d: what is scored is missing or lies beyond sequence_length; leave the row out, or raise sequence_length", trial.ErrInput, s.where(r), n)
	}
	if n < len(r.ids) {
		s.cut++
	}
	shaped := row{ids: make([]int32, s.length), labels: make([]int32, s.length), segments: make([]int32, s.length), place: r.place}
	copy(shaped.ids, r.ids)
	for i := copy(shaped.labels, r.labels); i < s.length; i++ {
		shaped.labels[i] = IgnoredLabel
	}
	for i := copy(shaped.segments, r.segments); i < s.length && i > 0; i++ {
		shaped.segments[i] = shaped.segments[i-1] // padding is not scored and nothing after it looks back
	}
	return shaped, nil
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

// checkVocabulary refuses ids and labels that the model has no row for.
func checkVocabulary(r row, vocab int32) error {
	if i := slices.IndexFunc(r.ids, func(id int32) bool { return id < 0 || id >= vocab }); i >= 0 {
		return fmt.Errorf("id %d at position %d is not in the model's vocabulary of %d", r.ids[i], i, vocab)
	}
	bad := func(label int32) bool { return label != IgnoredLabel && (label < 0 || label >= vocab) }
	if i := slices.IndexFunc(r.labels, bad); i >= 0 {
		return fmt.Errorf("label %d at position %d is neither -100 nor in the model's vocabulary of %d", r.labels[i], i, vocab)
	}
	return nil
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
