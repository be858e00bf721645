package data

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/ranksweep/ranksweep/sweep"
)

// prepareVersion counts the releases that make different rows of the same inputs.
const prepareVersion = 1

// plan is a corpus that has been looked at but not tokenised: its inputs, their hashes and the tokenizer.
type plan struct {
	spec       sweep.DataSpec
	model      sweep.ModelInfo
	tok        *Tokenizer // nil where no input is text
	train      []input
	validation []input // empty when split is set
	split      splitter
}

func newPlan(ctx context.Context, files fs.FS, model sweep.ModelInfo, spec sweep.DataSpec) (*plan, error) {
	p := &plan{spec: spec, model: model}
	if err := p.checkSpec(); err != nil {
		return nil, err
	}
	var err error
	if p.train, err = resolve(ctx, spec.Train, os.Getenv); err != nil {
		return nil, err
	}
	if p.validation, err = resolve(ctx, spec.Validation, os.Getenv); err != nil {
		return nil, err
	}
	p.split = newSplitter(spec.ValidationSplit, p.train)
	isText := func(in input) bool { return in.kind != kindRows }
	if slices.ContainsFunc(p.train, isText) || slices.ContainsFunc(p.validation, isText) {
		if p.tok, err = LoadTokenizer(files); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *plan) checkSpec() error {
	s := p.spec
	switch {
	case len(s.Train) == 0:
		return fmt.Errorf("%w: data.train is not set", sweep.ErrInput)
	case len(s.Validation) == 0 && s.ValidationSplit == 0:
		return fmt.Errorf("%w: set data.validation or data.validation_split", sweep.ErrInput)
	case len(s.Validation) > 0 && s.ValidationSplit != 0:
		return fmt.Errorf("%w: data.validation and data.validation_split exclude each other", sweep.ErrInput)
	case !(s.ValidationSplit >= 0 && s.ValidationSplit < 1):
		return fmt.Errorf("%w: data.validation_split %v is not between 0 and 1", sweep.ErrInput, s.ValidationSplit)
	case s.SequenceLength < 2:
		return fmt.Errorf("%w: data.sequence_length %d: a row needs at least 2 ids", sweep.ErrInput, s.SequenceLength)
	case s.SequenceLength > p.model.MaxPositions:
		return fmt.Errorf("%w: data.sequence_length %d is beyond the model's %d positions", sweep.ErrInput, s.SequenceLength, p.model.MaxPositions)
	case s.ValidationSequences < 0:
		return fmt.Errorf("%w: data.validation_sequences %d is negative", sweep.ErrInput, s.ValidationSequences)
	}
	return nil
}

// fingerprint is a SHA-256 over everything that decides about the rows: contents, not names.
func (p *plan) fingerprint() string {
	tokenizer := ""
	if p.tok != nil {
		tokenizer = p.tok.Fingerprint()
	}
	body, err := json.Marshal(struct {
		Version             int         `json:"version"`
		Train               [][2]string `json:"train"`
		Validation          [][2]string `json:"validation"`
		Split               float64     `json:"split"`
		ValidationSequences int         `json:"validation_sequences"`
		SequenceLength      int         `json:"sequence_length"`
		Packing             bool        `json:"packing"`
		Tokenizer           string      `json:"tokenizer"`
		VocabSize           int         `json:"vocab_size"`
	}{
		prepareVersion, keys(p.train), keys(p.validation), p.spec.ValidationSplit, p.spec.ValidationSequences,
		p.spec.SequenceLength, p.spec.Packing, tokenizer, p.model.VocabSize,
	})
	if err != nil {
		panic(fmt.Sprintf("checkSpec let through what JSON cannot write: %v", err))
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

func keys(inputs []input) [][2]string {
	list := make([][2]string, 0, len(inputs))
	for _, in := range inputs {
		list = append(list, [2]string{string(in.kind), in.key})
	}
	return list
}

// size is how many bytes there are to read, at most.
func (p *plan) size() int64 {
	var total int64
	for _, in := range slices.Concat(p.train, p.validation) {
		total += in.size
	}
	return total
}

// sink receives the rows of both sides, each in order, before they are cut or padded.
type sink struct {
	train, validation func(row) error
	progress          func(bytes int64) // read so far in one document
}

// run reads every input and hands its rows to s.
func (p *plan) run(ctx context.Context, s sink) error {
	train, validation := p.assembler(s.train), p.assembler(s.validation)
	if err := p.feed(ctx, p.train, p.split, train, validation, s.progress); err != nil {
		return err
	}
	if err := p.feed(ctx, p.validation, splitter{}, validation, nil, s.progress); err != nil {
		return err
	}
	if err := train.finish("data.train", p.train); err != nil {
		return p.splitHint(err)
	}
	key, inputs := "data.validation", p.validation
	if p.spec.ValidationSplit > 0 {
		inputs = p.train
		key = fmt.Sprintf("the part of data.train that validation_split %v holds out", p.spec.ValidationSplit)
	}
	return p.splitHint(validation.finish(key, inputs))
}

func (p *plan) assembler(emit func(row) error) *assembler {
	return &assembler{tok: p.tok, length: p.spec.SequenceLength, packing: p.spec.Packing, emit: emit}
}

// splitHint adds to an error about an empty side what to do when the split made it so.
func (p *plan) splitHint(err error) error {
	if err == nil || p.spec.ValidationSplit == 0 {
		return err
	}
	return fmt.Errorf("%w (the split goes by hash; name data.validation, or change validation_split, or use more data)", err)
}

// feed adds the inputs' documents to kept, and those held out to heldOut.
func (p *plan) feed(ctx context.Context, inputs []input, split splitter, kept, heldOut *assembler, progress func(int64)) error {
	for _, in := range inputs {
		for doc, err := range in.documents(ctx) {
			if err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			parts, held := split.split(doc)
			for i, part := range parts {
				side := kept
				if held[i] {
					side = heldOut
				}
				if err := side.add(part); err != nil {
					return err
				}
			}
			progress(doc.size)
		}
	}
	return nil
}
