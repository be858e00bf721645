package data

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// encoder turns documents into ids and labels, as Hugging Face's SFTTrainer does (TRL 1.16, sft_trainer.py). Text gets what the
// tokenizer puts around it (the beginning-of-text token of Llama's); what a chat template writes is complete.
type encoder struct {
	tok      *Tokenizer // nil where tokErr says why
	tokErr   error
	template *ChatTemplate // nil where tmplErr says why
	tmplErr  error
	all      bool // score prompts too

	straddling noted // rows with a token on both sides of a boundary
	listed     noted // conversations whose lists of parts the template writes otherwise than their text
	dated      bool  // a conversation was written by a template that may write the date
}

// noted are rows to warn of.
type noted struct {
	rows  int
	first string // where the first of them stands
}

// note counts a row where something holds of it.
func (n *noted) note(holds bool, place string) {
	if !holds {
		return
	}
	if n.rows++; n.rows == 1 {
		n.first = place
	}
}

// newEncoder loads what inputs may need. What is missing is an error only once a document needs it, for pre-tokenised rows
// need neither tokenizer nor template.
func newEncoder(files fs.FS, spec trial.DataSpec, inputs []input) (*encoder, error) {
	e := &encoder{all: spec.ScorePrompts}
	e.tok, e.tokErr = LoadTokenizer(files)
	if slices.ContainsFunc(inputs, func(in input) bool { return in.kind == kindText || in.kind == kindBuiltin }) && e.tokErr != nil {
		return nil, e.tokErr
	}
	e.template, e.tmplErr = LoadChatTemplate(files)
	return e, nil
}

// fingerprint identifies the tokenizer; empty where there is none.
func (e *encoder) fingerprint() string {
	if e.tok == nil {
		return ""
	}
	return e.tok.Fingerprint()
}

// templateFingerprint identifies the chat template; empty where there is none.
func (e *encoder) templateFingerprint() string {
	if e.template == nil {
		return ""
	}
	return e.template.Fingerprint()
}

// encode returns a document's row, neither cut nor padded, and whether it may be packed with others.
func (e *encoder) encode(doc document) (r row, packs bool, err error) {
	if doc.form == formIDs {
		return row{ids: doc.ids, labels: doc.labels, place: doc.place}, false, nil
	}
	if e.tok == nil {
		return row{}, false, fmt.Errorf("data file %s: %w", doc.place, e.tokErr)
	}
	switch doc.form {
	case formPair:
		r = e.pair(doc)
	case formChat:
		r, err = e.conversation(doc)
	default:
		r, packs = e.text(doc), true
	}
	if err != nil {
		return row{}, false, fmt.Errorf("data file %s: %w", doc.place, err)
	}
	r.place = doc.place
	return r, packs, nil
}

// text scores everything.
func (e *encoder) text(doc document) row {
	if doc.text == "" {
		return row{}
	}
	ids := e.ended(e.tok.EncodeSpecial(doc.text))
	return row{ids: ids, labels: ids}
}

// ended returns ids with the end-of-text token at their end, once.
func (e *encoder) ended(ids []int32) []int32 {
	if eos, ok := e.tok.EOS(); ok && (len(ids) == 0 || ids[len(ids)-1] != eos) {
		return append(ids, eos)
	}
	return ids
}

// pair scores what follows the prompt.
func (e *encoder) pair(doc document) row {
	ids := e.ended(e.tok.EncodeSpecial(doc.prompt + doc.text))
	if e.all {
		return row{ids: ids, labels: ids}
	}
	from, torn := common(ids, e.tok.encodeBeginning(doc.prompt))
	e.straddling.note(torn, doc.place)
	return row{ids: ids, labels: onlyFrom(ids, from)}
}

// conversation scores the assistant's turns, or, where the first messages are given, all that follows them. A turn reaches
// from the end of what the template writes before it, its generation prompt included, to the end of what it writes with it.
func (e *encoder) conversation(doc document) (row, error) {
	if e.template == nil {
		return row{}, e.tmplErr
	}
	e.dated = e.dated || e.template.Dated()
	text, err := e.write(doc)
	if err != nil {
		return row{}, err
	}
	ids := e.tok.Encode(text)
	if e.all {
		return row{ids: ids, labels: ids}, nil
	}
	if doc.given > 0 {
		prompt, err := e.template.Render(doc.messages[:doc.given], true)
		if err != nil {
			return row{}, err
		}
		from, torn := common(ids, e.tok.Encode(prompt))
		e.straddling.note(torn, doc.place)
		return row{ids: ids, labels: onlyFrom(ids, from)}, nil
	}
	labels := onlyFrom(ids, len(ids))
	torn := false
	for i, m := range doc.messages {
		if m.Role != assistant {
			continue
		}
		from, tornFrom, err := e.boundary(doc.messages[:i], true, text, ids)
		if err != nil {
			return row{}, err
		}
		to, tornTo, err := e.boundary(doc.messages[:i+1], false, text, ids)
		if err != nil {
			return row{}, err
		}
		copy(labels[from:max(from, to)], ids[from:])
		torn = torn || tornFrom || tornTo
	}
	e.straddling.note(torn, doc.place)
	return row{ids: ids, labels: labels}, nil
}

// write returns what the template makes of a conversation. A list of parts is given to it as it is, as transformers does (5.23).
// Templates that do not know such lists fail, print them or leave them out; how they write the same text as one string tells.
func (e *encoder) write(doc document) (string, error) {
	text, err := e.template.Render(doc.messages, false)
	plain, first := joined(doc.messages)
	if first == 0 {
		return text, err
	}
	want, plainErr := e.template.Render(plain, false)
	switch {
	case plainErr != nil:
		return text, err
	case err != nil:
		return "", fmt.Errorf("the content of message %d is a list of parts, which the model's chat template does not read: join the text parts into one string: %w", first, err)
	}
	e.listed.note(text != want, doc.place)
	return text, nil
}

// assistant is the role whose turns are scored.
const assistant = "assistant"

// boundary returns where a conversation's beginning ends in the ids of the whole.
func (e *encoder) boundary(messages []Message, prompt bool, text string, ids []int32) (at int, torn bool, err error) {
	beginning := ""
	if len(messages) > 0 {
		if beginning, err = e.template.Render(messages, prompt); err != nil {
			return 0, false, err
		}
	}
	if !strings.HasPrefix(text, beginning) {
		return 0, false, fmt.Errorf("%w: the model's chat template writes the beginning of the conversation (messages up to %d) differently when others follow (as those do that drop earlier thoughts), "+
			"so where the assistant's turns begin is not known: give each answer its own row (prompt and completion, both lists of messages), or score everything with completion_only_loss: false", trial.ErrInput, len(messages))
	}
	at, torn = common(ids, e.tok.Encode(beginning))
	return at, torn, nil
}

// warnings says what a person should know about the rows that were encoded.
func (e *encoder) warnings() []string {
	var warnings []string
	if e.straddling.rows > 0 {
		warnings = append(warnings, fmt.Sprintf("data: in %d rows a token reaches from the prompt into what is scored (the first at %s), and counts as scored: end prompts where a token ends, without a space",
			e.straddling.rows, e.straddling.first))
	}
	if e.listed.rows > 0 {
		warnings = append(warnings, fmt.Sprintf("data: in %d conversations content is a list of parts, which the model's chat template writes otherwise than the same text as one string (the first at %s): "+
			"it may print the list or leave it out. Look at it with sweep data, and if so join the text parts into one string", e.listed.rows, e.listed.first))
	}
	if e.dated {
		warnings = append(warnings, fmt.Sprintf("data: the model's chat template can write the current date into rows, here %s; rows made anew on another day may differ: "+
			"keep the cache folder with the sweep, or train on a model folder whose template has a fixed date", e.template.now.Format(time.DateOnly)))
	}
	return warnings
}

// common returns how many ids a whole shares with its beginning, which was encoded alone. torn says that a token of the whole
// reaches across the end of the beginning: it belongs to what follows, as TRL's common_prefix_length has it.
func common(whole, beginning []int32) (n int, torn bool) {
	for n < min(len(whole), len(beginning)) && whole[n] == beginning[n] {
		n++
	}
	return n, n < len(beginning)
}

// onlyFrom returns labels that score ids from an index on.
func onlyFrom(ids []int32, from int) []int32 {
	labels := slices.Clone(ids)
	for i := range labels[:from] {
		labels[i] = IgnoredLabel
	}
	return labels
}
