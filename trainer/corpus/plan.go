package corpus

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/records"
)

// prepareVersion counts the releases that make different rows of the same inputs.
const prepareVersion = 2

// Source is what a corpus is made from.
type Source struct {
	Files fs.FS // the model's: tokenizer and chat template
	Model trial.ModelInfo
	Spec  trial.DataSpec
	Hub   records.Hub // where data sets of the hub are; nil where none may be named
	// Found is told what the rows of data.train and its like are made of, a line for people for each that has tables. It may be nil.
	Found func(line string)
}

// tell hands lines to Found.
func (s Source) tell(lines []string) {
	if s.Found == nil {
		return
	}
	for _, line := range lines {
		s.Found(line)
	}
}

// plan is a corpus that has been looked at but not tokenised: its inputs, their hashes and what encodes them.
type plan struct {
	spec       trial.DataSpec
	model      trial.ModelInfo
	enc        *encoder
	train      []records.Input
	validation []records.Input // empty when split is set
	retain     []records.Input
	split      splitter
	bad        badRows
	found      forms
	chats      string // see chatVersion
}

func newPlan(ctx context.Context, src Source) (*plan, error) {
	p := &plan{spec: src.Spec, model: src.Model, bad: badRows{skip: src.Spec.SkipBadRows}}
	if err := p.checkSpec(); err != nil {
		return nil, err
	}
	r := records.NewResolver(src.Hub)
	for _, side := range []struct {
		names  []string
		into   *[]records.Input
		splits []string
	}{
		{p.spec.Train, &p.train, []string{"train"}},
		{p.spec.Validation, &p.validation, []string{"validation", "test"}},
		{p.spec.Retain, &p.retain, []string{"validation", "test"}},
	} {
		var err error
		if *side.into, err = r.Resolve(ctx, side.names, side.splits...); err != nil {
			return nil, err
		}
		for i := range *side.into {
			(*side.into)[i].Columns, (*side.into)[i].OwnNames = p.spec.Columns, side.into == &p.retain
		}
	}
	p.split = newSplitter(p.spec.ValidationSplit, p.spec.Fraction, p.train)
	var err error
	if p.enc, err = newEncoder(src.Files, p.spec, p.inputs()); err != nil {
		return p, err
	}
	p.chats, err = chatVersion(ctx, p.enc.Template, p.inputs())
	return p, err
}

// inputs are those of all sides.
func (p *plan) inputs() []records.Input { return slices.Concat(p.train, p.validation, p.retain) }

func (p *plan) checkSpec() error {
	s := p.spec
	switch {
	case len(s.Train) == 0:
		return fmt.Errorf("%w: data.train is not set", trial.ErrInput)
	case len(s.Validation) == 0 && s.ValidationSplit == 0:
		return fmt.Errorf("%w: set data.validation or data.validation_split", trial.ErrInput)
	case len(s.Validation) > 0 && s.ValidationSplit != 0:
		return fmt.Errorf("%w: data.validation and data.validation_split exclude each other", trial.ErrInput)
	case !(s.ValidationSplit >= 0 && s.ValidationSplit < 1):
		return fmt.Errorf("%w: data.validation_split %v is not between 0 and 1", trial.ErrInput, s.ValidationSplit)
	case s.SequenceLength < 2:
		return fmt.Errorf("%w: data.sequence_length %d: a row needs at least 2 ids", trial.ErrInput, s.SequenceLength)
	case s.SequenceLength > p.model.MaxPositions:
		return fmt.Errorf("%w: data.sequence_length %d is beyond the model's %d positions%s", trial.ErrInput, s.SequenceLength,
			p.model.MaxPositions, p.model.BeyondThem)
	case !(s.Fraction >= 0 && s.Fraction <= 1):
		return fmt.Errorf("%w: data.fraction %v is not above 0 and at most 1", trial.ErrInput, s.Fraction)
	case s.ValidationSequences < 0:
		return fmt.Errorf("%w: data.validation_sequences %d is negative", trial.ErrInput, s.ValidationSequences)
	}
	return nil
}

// fingerprint is a SHA-256 over everything that decides about the rows: contents, not names.
func (p *plan) fingerprint() string {
	body, err := json.Marshal(struct {
		Version             int         `json:"version"`
		Train               [][2]string `json:"train"`
		Validation          [][2]string `json:"validation"`
		Retain              [][2]string `json:"retain"`
		Split               float64     `json:"split"`
		ValidationSequences int         `json:"validation_sequences"`
		SequenceLength      int         `json:"sequence_length"`
		Packing             bool        `json:"packing"`
		ScorePrompts        bool        `json:"score_prompts"`
		Tokenizer           string      `json:"tokenizer"`
		Template            string      `json:"template"`
		VocabSize           int         `json:"vocab_size"`

		SkipBadRows        bool              `json:"skip_bad_rows,omitempty"`
		LongRows           string            `json:"long_rows,omitempty"`
		Columns            map[string]string `json:"columns,omitempty"`
		Chats              string            `json:"chats,omitempty"`
		ChatTemplateKwargs json.RawMessage   `json:"chat_template_kwargs,omitempty"`
		Fraction           float64           `json:"fraction,omitempty"`
	}{
		prepareVersion, keys(p.train), keys(p.validation), keys(p.retain), p.spec.ValidationSplit, p.spec.ValidationSequences,
		p.spec.SequenceLength, p.spec.Packing, p.spec.ScorePrompts, p.enc.fingerprint(), p.enc.templateFingerprint(), p.model.VocabSize,
		p.spec.SkipBadRows, p.spec.LongRows, p.spec.Columns, p.chats, p.spec.ChatTemplateKwargs, p.spec.Fraction,
	})
	if err != nil {
		panic(fmt.Sprintf("checkSpec let through what JSON cannot write: %v", err))
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// whole is the fingerprint of the corpus with all training documents, which has the same validation rows; "" where this is it.
func (p *plan) whole() string {
	if p.spec.Fraction == 0 {
		return ""
	}
	whole := *p
	whole.spec.Fraction = 0
	return whole.fingerprint()
}

func keys(inputs []records.Input) [][2]string {
	list := make([][2]string, 0, len(inputs))
	for _, in := range inputs {
		list = append(list, [2]string{string(in.Kind), in.Key})
	}
	return list
}

// size is how many bytes there are to read, at most.
func (p *plan) size() int64 {
	var total int64
	for _, in := range p.inputs() {
		total += in.Size
	}
	return total
}

// sink receives the rows of all sides, each in order, before they are cut or padded.
type sink struct {
	train, validation, retain func(row) error
	progress                  func(bytes int64) // read so far in one document
}

// run reads every input and hands its rows to s.
func (p *plan) run(ctx context.Context, s sink) error {
	train, validation, retain := p.assembler(s.train), p.assembler(s.validation), p.assembler(s.retain)
	if err := p.feed(ctx, "data.train", p.train, p.split, train, validation, s.progress); err != nil {
		return err
	}
	if err := p.feed(ctx, "data.validation", p.validation, splitter{}, validation, nil, s.progress); err != nil {
		return err
	}
	if err := p.feed(ctx, "data.retain", p.retain, splitter{}, retain, nil, s.progress); err != nil {
		return err
	}
	if err := p.bad.err(); err != nil {
		return err
	}
	if err := train.finish("data.train", p.train); err != nil {
		return p.thinHint(err, train)
	}
	key, inputs := "data.validation", p.validation
	if p.spec.ValidationSplit > 0 {
		inputs = p.train
		key = fmt.Sprintf("the part of data.train that validation_split %v holds out", p.spec.ValidationSplit)
	}
	if err := validation.finish(key, inputs); err != nil {
		return p.splitHint(err)
	}
	if len(p.retain) == 0 {
		return nil
	}
	return retain.finish("data.retain", p.retain)
}

func (p *plan) assembler(emit func(row) error) *assembler {
	return &assembler{enc: p.enc, length: p.spec.SequenceLength, packing: p.spec.Packing, emit: emit}
}

// thinHint makes an error about an empty training side one of data.fraction where that may have emptied it.
func (p *plan) thinHint(err error, train *assembler) error {
	switch {
	case p.spec.Fraction == 0:
		return p.splitHint(err)
	case train.tokens == 0:
		return p.errNothingKept()
	}
	return fmt.Errorf("data.fraction %v leaves too little to train on: raise it, or use more data: %w", p.spec.Fraction, err)
}

func (p *plan) errNothingKept() error {
	return fmt.Errorf("%w: data.fraction %v keeps no training document of %s, for it chooses by hash: raise it, or use more data",
		trial.ErrInput, p.spec.Fraction, listed(p.train))
}

// CheckFraction reports a data.fraction that keeps nothing to train on. It reads up to the first document that it keeps.
func CheckFraction(ctx context.Context, src Source) error {
	p, err := newPlan(ctx, src)
	if err != nil || p.spec.Fraction == 0 {
		return err
	}
	for _, in := range p.train {
		for doc, err := range in.Documents(ctx) {
			if records.IsRowError(err) {
				continue // making rows of it says what is wrong
			}
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return err
			}
			if kept, err := p.split.trainsOn(in.Kind, doc); kept || err != nil {
				return err
			}
		}
	}
	return p.errNothingKept()
}

// splitHint adds to an error about an empty side what to do when the split made it so.
func (p *plan) splitHint(err error) error {
	if p.spec.ValidationSplit == 0 {
		return err
	}
	return fmt.Errorf("%w (the split goes by hash; name data.validation, or change validation_split, or use more data)", err)
}

// feed adds the documents of the inputs of a key to kept, and those held out to heldOut. Rows that cannot be used are noted.
func (p *plan) feed(ctx context.Context, key string, inputs []records.Input, split splitter, kept, heldOut *assembler,
	progress func(int64),
) error {
	for _, in := range inputs {
		for doc, err := range in.Documents(ctx) {
			if err == nil {
				err = addParts(in.Kind, doc, split, kept, heldOut)
			}
			if err == nil {
				p.found.note(key, doc)
			}
			if err := p.bad.note(err); err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			progress(doc.Size)
		}
	}
	return nil
}

// addParts adds a document of a kind of file, or its parts, to the sides that they belong to.
func addParts(kind records.Kind, doc records.Document, split splitter, kept, heldOut *assembler) error {
	parts, held, err := split.split(doc)
	if err != nil {
		return err
	}
	for i, part := range parts {
		if held[i] {
			if err := heldOut.add(part); err != nil {
				return err
			}
			continue
		}
		thinned, err := split.thin(kind, part)
		if err != nil {
			return err
		}
		for _, part := range thinned {
			if err := kept.add(part); err != nil {
				return err
			}
		}
	}
	return nil
}
