package chat

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/chat/jinja"
)

// assistant is the role whose turns are scored.
const assistant = "assistant"

// written is a conversation as the template writes it.
type written struct {
	Conversation
	text  string
	spans []jinja.Span
	ids   []int32
}

// Conversation scores the assistant's turns, or, where the first messages are given, all that follows them. A template that marks by
// {% generation %} what the assistant writes decides for itself (transformers' assistant_masks). Else a turn reaches from the end of what
// the template writes before it, its generation prompt included, to the end of what it writes with it. A conversation is one row, or, where
// the template writes earlier turns otherwise once others follow, a row for each assistant turn, which it ends. place is where the row
// is, for Warnings.
func (e *Encoder) Conversation(chat Conversation, place string) ([]Encoded, error) {
	if e.Template.Dated() {
		e.dated = e.Template.now
	}
	chat.Kwargs = chat.Kwargs.over(e.Kwargs)
	w, err := e.write(chat, place)
	if err != nil {
		return nil, err
	}
	var labels []int32
	switch {
	case e.ScorePrompts:
		labels = slices.Clone(w.ids)
	case chat.Given > 0:
		if labels, err = e.completion(w, place); err != nil {
			return nil, err
		}
	case e.Template.of(chat).marked:
		labels = e.marked(w)
	default:
		return e.turns(w, place)
	}
	e.thoughts.note(slices.ContainsFunc(chat.Messages[chat.Given:], w.lacksThoughts), place)
	return []Encoded{{IDs: w.ids, Labels: labels}}, e.mute(w, labels)
}

// write lets the template write a conversation. A list of parts is given to it as it is, as transformers does (5.24).
// Templates that do not know such lists fail, print them or leave them out; how they write the same text as one string tells.
func (e *Encoder) write(chat Conversation, place string) (written, error) {
	text, spans, err := e.whole(chat)
	if plain, first := joined(chat.Messages); first > 0 {
		joined := chat
		joined.Messages = plain
		want, _, plainErr := e.whole(joined)
		switch {
		case plainErr == nil && err != nil:
			return written{}, fmt.Errorf("the content of message %d is a list of parts, which the model's chat template does not read: join "+
				"the text parts into one string: %w", first, err)
		case plainErr == nil:
			e.listed.note(text != want, place)
		}
	}
	if err != nil {
		return written{}, err
	}
	e.quoted.note(quotesArguments(chat.Messages, text), place)
	return written{Conversation: chat, text: text, spans: spans, ids: e.Tokenizer.Encode(text)}, nil
}

// quotesArguments reports whether a text has the arguments of a tool call as a JSON string, though they are JSON themselves.
func quotesArguments(messages []Message, text string) bool {
	for _, m := range messages {
		for _, arguments := range m.textArguments() {
			if strings.Contains(text, jinja.JSONString(arguments)) {
				return true
			}
		}
	}
	return false
}

// lacksThoughts reports whether an answer's thoughts are not in the text.
func (w written) lacksThoughts(m Message) bool {
	return m.Role == assistant && !m.Muted && !strings.Contains(w.text, m.thoughts())
}

// completion scores what follows the prompt.
func (e *Encoder) completion(w written, place string) ([]int32, error) {
	prompt, err := e.Template.render(w.upTo(w.Given), true)
	if err != nil {
		return nil, err
	}
	from, torn := common(w.ids, e.Tokenizer.Encode(prompt))
	begins := strings.HasPrefix(w.text, prompt)
	e.straddling.note(torn && begins, place)
	e.unprompted.note(!begins, place)
	return onlyFrom(w.ids, from), nil
}

// marked scores the tokens that reach into what {% generation %} blocks wrote.
func (e *Encoder) marked(w written) []int32 {
	labels := onlyFrom(w.ids, len(w.ids))
	end := 0
	for _, s := range w.spans {
		begin := max(s.From, end) // transformers goes through tokens and blocks once, and never back
		if end = max(end, s.To); begin == end {
			continue
		}
		from, _ := e.position(w, begin)
		to, torn := e.position(w, end)
		if torn {
			to = min(to+1, len(w.ids))
		}
		copy(labels[from:max(from, to)], w.ids[from:])
	}
	return labels
}

// maxTorn is how many tokens before a cut may be others because of it: more than the longest words have.
const maxTorn = 64

// position returns how many ids end at or before a byte of the text; torn says that the next one reaches across it.
func (e *Encoder) position(w written, at int) (n int, torn bool) {
	n, torn = common(w.ids, e.Tokenizer.Encode(w.text[:at]))
	for range maxTorn { // cut there, the text may have other tokens before the cut
		if !torn || n == len(w.ids) {
			break
		}
		next := e.Tokenizer.Decode(w.ids[:n+1])
		if !strings.HasPrefix(w.text[:at], next) {
			break
		}
		n, torn = n+1, len(next) < at
	}
	return n, torn
}

// turns scores the assistant's turns in one row where that is true to how the template writes them, else in a row each.
func (e *Encoder) turns(w written, place string) ([]Encoded, error) {
	labels := onlyFrom(w.ids, len(w.ids))
	var torn, unprompted bool
	for i, m := range w.Messages {
		if m.Role != assistant || m.Muted {
			continue
		}
		t, ok, err := e.turn(w, i)
		if err != nil {
			return nil, err
		}
		if !ok {
			return e.rowPerTurn(w, place)
		}
		copy(labels[t.from:max(t.from, t.to)], w.ids[t.from:])
		torn, unprompted = torn || t.torn, unprompted || t.unprompted
	}
	e.straddling.note(torn, place)
	e.unprompted.note(unprompted, place)
	e.thoughts.note(slices.ContainsFunc(w.Messages, w.lacksThoughts), place)
	return []Encoded{{IDs: w.ids, Labels: labels}}, nil
}

// rowPerTurn makes a row of each assistant turn, which ends with it.
func (e *Encoder) rowPerTurn(w written, place string) (rows []Encoded, err error) {
	lacking := false
	for i, m := range w.Messages {
		if m.Role != assistant || m.Muted {
			continue
		}
		row := written{Conversation: w.upTo(i + 1)}
		if row.text, _, err = e.whole(row.Conversation); err != nil {
			return nil, err
		}
		row.ids = e.Tokenizer.Encode(row.text)
		t, ok, err := e.turn(row, i)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, fmt.Errorf("%w: the model's chat template writes what comes before message %d differently once that follows, so "+
				"where the answer begins is not known: score everything with completion_only_loss: false, or put {%% generation %%} "+
				"around what the assistant writes into the template", trial.ErrInput, i+1)
		}
		e.straddling.note(t.torn, place)
		e.unprompted.note(t.unprompted, place)
		lacking = lacking || row.lacksThoughts(m)
		if e.Length > 0 && t.from >= e.Length && len(rows) > 0 { // as the end of one long row would be cut
			e.beyond.note(true, place)
			continue
		}
		rows = append(rows, Encoded{IDs: row.ids, Labels: onlyFrom(row.ids, t.from)})
	}
	e.thoughts.note(lacking, place)
	e.split.note(true, place)
	e.splitRows += len(rows)
	return rows, nil
}

// turn is where a message is among the ids: from where the generation prompt before it ends.
type turn struct {
	from, to   int
	torn       bool // a token reaches across its begin or end
	unprompted bool // it begins otherwise than the generation prompt
}

// turn finds a message in a conversation. ok is false where the template writes the conversation up to it otherwise than in the whole.
func (e *Encoder) turn(w written, message int) (t turn, ok bool, err error) {
	if message > 0 {
		if t, ok, err = e.begin(w, message); err != nil || !ok {
			return t, false, err
		}
	}
	if message == len(w.Messages)-1 {
		t.to = len(w.ids)
		return t, true, nil
	}
	upTo, _, err := e.whole(w.upTo(message + 1))
	if err != nil {
		return t, false, err
	}
	if upTo, ok = e.beginning(w.text, upTo); !ok {
		return t, false, nil
	}
	var torn bool
	t.to, torn = common(w.ids, e.Tokenizer.Encode(upTo))
	t.torn = t.torn || torn
	return t, true, nil
}

// begin finds where a message begins, which is not the first.
func (e *Encoder) begin(w written, message int) (t turn, ok bool, err error) {
	before := w.upTo(message)
	prompt, err := e.Template.render(before, true)
	if err != nil {
		return t, false, err
	}
	if t.from, t.torn = common(w.ids, e.Tokenizer.Encode(prompt)); strings.HasPrefix(w.text, prompt) {
		return t, true, nil
	}
	history, err := e.Template.render(before, false)
	if err != nil {
		return t, false, err
	}
	history, ok = e.beginning(w.text, history)
	t.torn, t.unprompted = false, true // such as <think>, with which R1 prompts for answers that may have no thoughts
	return t, ok && strings.HasPrefix(prompt, history), nil
}

// beginning reports whether a text begins with what was written of its beginning alone, but for the end-of-text token that some templates
// (Phi-3's) write after the last turn. It returns the beginning without that.
func (e *Encoder) beginning(text, alone string) (string, bool) {
	if strings.HasPrefix(text, alone) {
		return alone, true
	}
	alone = strings.TrimSuffix(alone, e.Template.tokens["eos_token"])
	return alone, strings.HasPrefix(text, alone)
}

// mute takes the turns that are not to be scored out of labels that score all turns.
func (e *Encoder) mute(w written, labels []int32) error {
	for i, m := range w.Messages {
		if !m.Muted || m.Role != assistant || i < w.Given {
			continue
		}
		t, ok, err := e.turn(w, i)
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("%w: message %d is not to be scored (weight: 0, train: false), but the model's chat template writes it "+
				"differently when others follow, so where it is is not known: leave the mark out, or end the conversation before it",
				trial.ErrInput, i+1)
		}
		for j := t.from; j < t.to; j++ {
			labels[j] = trial.IgnoredLabel
		}
	}
	return nil
}
