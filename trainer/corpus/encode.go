package corpus

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/chat"
	"github.com/ranksweep/ranksweep/trainer/records"
	"github.com/ranksweep/ranksweep/trainer/tokenizer"
)

// encoder turns documents into rows.
type encoder struct {
	chat.Encoder
	tokErr  error // why Tokenizer is nil
	tmplErr error // why Template is nil
}

// newEncoder loads what inputs may need. What is missing is an error only once a document needs it, for pre-tokenised rows
// need neither tokenizer nor template.
func newEncoder(files fs.FS, spec trial.DataSpec, inputs []records.Input) (*encoder, error) {
	e := &encoder{Encoder: chat.Encoder{ScorePrompts: spec.ScorePrompts, Length: spec.SequenceLength}}
	if len(spec.ChatTemplateKwargs) > 0 {
		if err := e.Kwargs.UnmarshalJSON(spec.ChatTemplateKwargs); err != nil {
			return nil, fmt.Errorf("%w: data.chat_template_kwargs: %w", trial.ErrInput, err)
		}
	}
	e.Tokenizer, e.tokErr = tokenizer.Load(files)
	isText := func(in records.Input) bool { return in.Kind == records.KindText || in.Kind == records.KindBuiltin }
	if e.tokErr != nil && slices.ContainsFunc(inputs, isText) {
		return nil, e.tokErr
	}
	e.Template, e.tmplErr = chat.Load(files)
	return e, nil
}

// fingerprint identifies the tokenizer; empty where there is none.
func (e *encoder) fingerprint() string {
	if e.Tokenizer == nil {
		return ""
	}
	return e.Tokenizer.Fingerprint()
}

// templateFingerprint identifies the chat template; empty where there is none.
func (e *encoder) templateFingerprint() string {
	if e.Template == nil {
		return ""
	}
	return e.Template.Fingerprint()
}

// untemplated reports whether the model has no chat template: one that cannot be read is not the same.
func (e *encoder) untemplated() bool {
	return e.Template == nil && errors.Is(e.tmplErr, fs.ErrNotExist)
}

// encode returns a document's rows, neither cut nor padded, and whether they may be packed with others.
func (e *encoder) encode(doc records.Document) (rows []row, packs bool, err error) {
	if doc.Form == records.FormIDs {
		return []row{{Row: Row{IDs: doc.IDs, Labels: doc.Labels}, place: doc.Place}}, false, nil
	}
	if e.Tokenizer == nil {
		return nil, false, fmt.Errorf("data file %s: %w", doc.Place, e.tokErr)
	}
	var encoded []chat.Encoded
	switch {
	case doc.Form == records.FormPair, doc.Form == records.FormInstruction && e.untemplated() && doc.Prompt != "":
		encoded = []chat.Encoded{e.Pair(doc.Prompt, doc.Text, doc.Place)}
	case doc.Form == records.FormText:
		encoded, packs = []chat.Encoded{e.Text(doc.Text)}, true
	case e.Template == nil:
		return nil, false, fmt.Errorf("data file %s: %w", doc.Place, e.tmplErr)
	default:
		conversation := chat.Conversation{Messages: doc.Messages, Given: doc.Given, Tools: doc.Tools, Kwargs: doc.Kwargs}
		if encoded, err = e.Conversation(conversation, doc.Place); err != nil {
			return nil, false, &records.RowError{Err: fmt.Errorf("data file %s: %w", doc.Place, err)}
		}
	}
	for _, one := range encoded {
		rows = append(rows, row{Row: Row{IDs: one.IDs, Labels: one.Labels}, place: doc.Place})
	}
	return rows, packs, nil
}
