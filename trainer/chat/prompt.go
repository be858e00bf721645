package chat

import "strings"

// Prompt returns the ids of a user's message as the template writes it, up to where the assistant would begin to write.
func (e *Encoder) Prompt(text string) ([]int32, error) {
	written, err := e.Template.render(Conversation{Messages: []Message{{Role: "user", Content: text}}, Kwargs: e.Kwargs}, true)
	if err != nil {
		return nil, err
	}
	return e.Tokenizer.Encode(written), nil
}

// TurnEnd returns the special token that the template writes after an answer, and whether there is one.
func (e *Encoder) TurnEnd() (int32, bool) {
	const answer = "9f4b07a3"
	text, err := e.Template.render(Conversation{
		Messages: []Message{{Role: "user", Content: "x"}, {Role: assistant, Content: answer}}, Kwargs: e.Kwargs,
	}, false)
	if err != nil { // such as of a template that wants more than two turns: then nothing is known
		return 0, false
	}
	_, after, _ := strings.Cut(text, answer)
	for _, id := range e.Tokenizer.Encode(after) {
		if e.Tokenizer.Special(id) {
			return id, true
		}
	}
	return 0, false
}
