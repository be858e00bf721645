package chat

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/tokenizer"
)

// Encoder turns texts, prompts with their completions and conversations into ids and labels, as Hugging Face's SFTTrainer does (TRL
// 1.16, sft_trainer.py). Text gets what the tokenizer puts around it (the beginning-of-text token of Llama's); what a chat template
// writes is complete. It is not safe for concurrent use, for it notes what Warnings tells.
type Encoder struct {
	Tokenizer    *tokenizer.Tokenizer
	Template     *Template // only Conversation needs one
	ScorePrompts bool      // score what is given too: prompts, and the turns of others

	straddling noted // rows with a token on both sides of a boundary
	listed     noted // conversations whose lists of parts the template writes otherwise than their text
	dated      bool  // a conversation was written by a template that may write the date
}

// Encoded is ids with as many labels; a label of −100 is not scored.
type Encoded struct{ IDs, Labels []int32 }

// noted are rows to warn of.
type noted struct {
	rows  int
	first string // where the first of them is
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

// Text scores everything, the end-of-text token included.
func (e *Encoder) Text(text string) Encoded {
	if text == "" {
		return Encoded{}
	}
	ids := e.ended(e.Tokenizer.EncodeSpecial(text))
	return Encoded{IDs: ids, Labels: ids}
}

// ended returns ids with the end-of-text token at their end, once.
func (e *Encoder) ended(ids []int32) []int32 {
	if eos, ok := e.Tokenizer.EOS(); ok && (len(ids) == 0 || ids[len(ids)-1] != eos) {
		return append(ids, eos)
	}
	return ids
}

// Pair scores what follows the prompt. place is where the row is, for Warnings.
func (e *Encoder) Pair(prompt, completion, place string) Encoded {
	ids := e.ended(e.Tokenizer.EncodeSpecial(prompt + completion))
	if e.ScorePrompts {
		return Encoded{IDs: ids, Labels: ids}
	}
	from, torn := common(ids, e.Tokenizer.EncodeBeginning(prompt))
	e.straddling.note(torn, place)
	return Encoded{IDs: ids, Labels: onlyFrom(ids, from)}
}

// Conversation scores the assistant's turns, or, where the first given messages are a prompt, all that follows them. A turn reaches from
// the end of what the template writes before it, its generation prompt included, to the end of what it writes with it. place is
// where the row is, for Warnings.
func (e *Encoder) Conversation(messages []Message, given int, place string) (Encoded, error) {
	e.dated = e.dated || e.Template.Dated()
	text, err := e.write(messages, place)
	if err != nil {
		return Encoded{}, err
	}
	ids := e.Tokenizer.Encode(text)
	if e.ScorePrompts {
		return Encoded{IDs: ids, Labels: ids}, nil
	}
	if given > 0 {
		prompt, err := e.Template.Render(messages[:given], true)
		if err != nil {
			return Encoded{}, err
		}
		from, torn := common(ids, e.Tokenizer.Encode(prompt))
		e.straddling.note(torn, place)
		return Encoded{IDs: ids, Labels: onlyFrom(ids, from)}, nil
	}
	labels := onlyFrom(ids, len(ids))
	torn := false
	for i, m := range messages {
		if m.Role != assistant {
			continue
		}
		from, tornFrom, err := e.boundary(messages[:i], true, text, ids)
		if err != nil {
			return Encoded{}, err
		}
		to, tornTo, err := e.boundary(messages[:i+1], false, text, ids)
		if err != nil {
			return Encoded{}, err
		}
		copy(labels[from:max(from, to)], ids[from:])
		torn = torn || tornFrom || tornTo
	}
	e.straddling.note(torn, place)
	return Encoded{IDs: ids, Labels: labels}, nil
}

// write returns what the template makes of a conversation. A list of parts is given to it as it is, as transformers does (5.23).
// Templates that do not know such lists fail, print them or leave them out; how they write the same text as one string tells.
func (e *Encoder) write(messages []Message, place string) (string, error) {
	text, err := e.Template.Render(messages, false)
	plain, first := joined(messages)
	if first == 0 {
		return text, err
	}
	want, plainErr := e.Template.Render(plain, false)
	switch {
	case plainErr != nil:
		return text, err
	case err != nil:
		return "", fmt.Errorf("the content of message %d is a list of parts, which the model's chat template does not read: join the "+
			"text parts into one string: %w", first, err)
	}
	e.listed.note(text != want, place)
	return text, nil
}

// assistant is the role whose turns are scored.
const assistant = "assistant"

// boundary returns where a conversation's beginning ends in the ids of the whole.
func (e *Encoder) boundary(messages []Message, prompt bool, text string, ids []int32) (at int, torn bool, err error) {
	beginning := ""
	if len(messages) > 0 {
		if beginning, err = e.Template.Render(messages, prompt); err != nil {
			return 0, false, err
		}
	}
	if !strings.HasPrefix(text, beginning) {
		return 0, false, fmt.Errorf("%w: the model's chat template writes the beginning of the conversation (messages up to %d) "+
			"differently when others follow (as those do that drop earlier thoughts), "+
			"so where the assistant's turns begin is not known: give each answer its own row (prompt and completion, both lists of "+
			"messages), or score everything with completion_only_loss: false", trial.ErrInput, len(messages))
	}
	at, torn = common(ids, e.Tokenizer.Encode(beginning))
	return at, torn, nil
}

// Forget makes Warnings begin anew, for rows that are encoded once more.
func (e *Encoder) Forget() { e.straddling, e.listed = noted{}, noted{} }

// Warnings says what a person should know about the rows that were encoded.
func (e *Encoder) Warnings() []string {
	var warnings []string
	if e.straddling.rows > 0 {
		warnings = append(warnings, fmt.Sprintf("data: in %d rows a token reaches from the prompt into what is scored (the first at "+
			"%s), and counts as scored: end prompts where a token ends, without a space",
			e.straddling.rows, e.straddling.first))
	}
	if e.listed.rows > 0 {
		warnings = append(warnings, fmt.Sprintf("data: in %d conversations content is a list of parts, which the model's chat template "+
			"writes otherwise than the same text as one string (the first at %s): "+
			"it may print the list or leave it out. Look at it with sweep data, and if so join the text parts into one string",
			e.listed.rows, e.listed.first))
	}
	if e.dated {
		warnings = append(warnings, fmt.Sprintf("data: the model's chat template can write the current date into rows, here %s; rows "+
			"made anew on another day may differ: "+
			"keep the cache folder with the sweep, or train on a model folder whose template has a fixed date",
			e.Template.now.Format(time.DateOnly)))
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
		labels[i] = trial.IgnoredLabel
	}
	return labels
}
