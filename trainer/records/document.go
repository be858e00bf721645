package records

import "github.com/ranksweep/ranksweep/trainer/chat"

// Form is what a document is made of.
type Form int

// The forms of documents.
const (
	FormText        Form = iota // text: all of it is scored, and it may be packed
	FormPair                    // prompt and text: the completion is scored
	FormChat                    // messages: the assistant's turns are scored
	FormIDs                     // ids and labels, used as they are
	FormInstruction             // messages, and for a model without a chat template prompt and text: the answers are scored
)

// String is the form's name, for people.
func (f Form) String() string {
	switch f {
	case FormPair:
		return "prompt and completion"
	case FormChat:
		return "chat"
	case FormIDs:
		return "token ids"
	case FormInstruction:
		return "instruction and answer"
	case FormText:
	}
	return "text"
}

// Document is one unit of a corpus: a text file, or a row of a table.
type Document struct {
	Place    string // file, or file:line
	Form     Form
	Text     string // of FormText; the completion of FormPair, the answer of FormInstruction
	Prompt   string // empty for a FormInstruction that only a chat template can write
	Messages []chat.Message
	Given    int         // of FormChat: the number of messages that are the prompt, the rest the answer; 0: every assistant turn is one
	Tools    chat.Tools  // of FormChat
	Kwargs   chat.Kwargs // of FormChat: chat_template_kwargs
	IDs      []int32
	Labels   []int32
	Size     int64    // bytes of the input it took
	Columns  []string // what it was made of, by their names in the file; nil for a text file
}
