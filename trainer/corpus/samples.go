package corpus

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/trainer/tokenizer"
)

// Sample is one training row for people to look at: neither cut nor padded.
type Sample struct {
	Text     string   `json:"text"` // of InputIDs; empty where the model has no tokenizer
	InputIDs []int32  `json:"input_ids"`
	Labels   []int32  `json:"labels"`
	Segments []int32  `json:"-"` // of packed documents: the number of each id's document in the row; nil for one document
	Tokens   []string `json:"-"` // the text of each id; nil where the model has no tokenizer
}

// errEnough ends the reading when the limit is reached.
var errEnough = errors.New("enough samples")

// Samples returns the first training rows in file order, at most limit (0 means all), and what a run would refuse or change
// about them. It reads the tokenizer and writes nothing.
func Samples(ctx context.Context, src Source, limit int) ([]Sample, []string, error) {
	p, err := newPlan(ctx, src)
	if err != nil {
		return nil, nil, err
	}
	var samples []Sample
	var warnings []string
	if err := p.enc.tokErr; err != nil && !errors.Is(err, fs.ErrNotExist) {
		warnings = append(warnings, fmt.Sprintf("the rows' text is not shown: %v", err))
	}
	more, err := p.eachRow(ctx, func(r row) error {
		samples = append(samples, p.spelt(r))
		warnings = append(warnings, p.doubts(r, len(samples))...)
		if len(samples) == limit {
			return errEnough
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	src.tell(p.found.lines(p.enc.untemplated()))
	return samples, append(warnings, more...), nil
}

// eachRow hands the training rows to emit, in file order and neither cut nor padded, and returns what to know about them
// altogether. emit may end it with errEnough.
func (p *plan) eachRow(ctx context.Context, emit func(row) error) (warnings []string, err error) {
	p.enc.Forget()
	p.bad, p.found = badRows{skip: p.spec.SkipBadRows}, forms{}
	train := p.assembler(emit)
	heldOut := p.assembler(func(row) error { return nil })
	err = p.feed(ctx, "data.train", p.train, p.split, train, heldOut, func(int64) {})
	if err == nil {
		short := train.short()
		if err = train.flush(); short && train.rows > 0 {
			warnings = append(warnings, fmt.Sprintf("data.train: %d token ids do not fill one row of sequence_length %d",
				train.tokens, train.length))
		}
	}
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	if err := p.bad.err(); err != nil {
		return nil, err
	}
	if train.rows == 0 {
		return nil, p.thinHint(errEmpty("data.train", p.train), train)
	}
	return slices.Concat(warnings, p.bad.warnings(), p.enc.Warnings()), nil
}

// spelt is a row with its text, where the model has a tokenizer.
func (p *plan) spelt(r row) Sample {
	sample := Sample{InputIDs: notNil(r.IDs), Labels: notNil(r.Labels), Segments: r.Segments}
	if tok := p.enc.Tokenizer; tok != nil {
		sample.Text = tok.Decode(r.IDs)
		for _, id := range r.IDs {
			sample.Tokens = append(sample.Tokens, pieceOf(tok, id))
		}
	}
	return sample
}

// pieceOf returns the text of one token. A decoder takes the space from a text's first token in the Llama 2 family, so there the
// token's spelling tells it.
func pieceOf(tok *tokenizer.Tokenizer, id int32) string {
	if spelt, ok := tok.Token(id); ok && strings.HasPrefix(spelt, "\u2581") {
		return strings.ReplaceAll(spelt, "\u2581", " ")
	}
	return tok.Decode([]int32{id})
}

// notNil makes JSON write [] for an empty row.
func notNil(ids []int32) []int32 {
	if ids == nil {
		return []int32{}
	}
	return ids
}

// doubts says what training would refuse about the number-th row, or change.
func (p *plan) doubts(r row, number int) []string {
	place := r.place
	if place == "" {
		place = fmt.Sprintf("data.train, row %d", number)
	}
	var doubts []string
	if err := r.CheckVocabulary(p.model.VocabSize); err != nil {
		doubts = append(doubts, fmt.Sprintf("%s: %v", place, err))
	}
	n := min(len(r.IDs), p.spec.SequenceLength)
	if n < len(r.IDs) && p.spec.LongRows != "" {
		return append(doubts, fmt.Sprintf("%s: %d ids, more than sequence_length %d (data.long_rows: %s)", place, len(r.IDs), n, p.spec.LongRows))
	}
	if supervised(r.Labels[:n]) == 0 {
		doubts = append(doubts, fmt.Sprintf("%s: no supervised token among the first %d", place, n))
	}
	if n < len(r.IDs) {
		doubts = append(doubts, fmt.Sprintf("%s: %d ids are cut at sequence_length %d", place, len(r.IDs), n))
	}
	return doubts
}
