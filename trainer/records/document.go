package records

import "github.com/ranksweep/ranksweep/trainer/chat"

// Form is what a document is made of.
type Form int

// The forms of documents.
const (
	FormText Form = iota // text: all of it is scored, and it may be packed
	FormPair             // prompt and text: the completion is scored
	FormChat             // messages: the assistant's turns are scored
	FormIDs              // ids and labels, used as they are
)

// Document is one unit of a corpus: a text file, or a row of a table.
type Document struct {
	Place    string // file, or file:line
	Form     Form
	Text     string // of FormText; the completion of FormPair
	Prompt   string
	Messages []chat.Message
	Given    int         // of FormChat: the number of messages that are the prompt, the rest the answer; 0: every assistant turn is one
	Tools    chat.Tools  // of FormChat
	Kwargs   chat.Kwargs // of FormChat: chat_template_kwargs
	IDs      []int32
	Labels   []int32
	Size     int64 // bytes of the input it took
}
