package chat

import (
	"slices"

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
	Length       int       // what rows are cut to; 0: not at all. Turns that have a row of their own and begin beyond are left out
	Kwargs       Kwargs    // for the template of every conversation; what a conversation brings counts more

	notes
}

// Encoded is ids with as many labels; a label of −100 is not scored.
type Encoded struct{ IDs, Labels []int32 }

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
