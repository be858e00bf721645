package chat

import (
	"strings"

	"github.com/ranksweep/ranksweep/trainer/chat/jinja"
)

const (
	// endOfThoughts ends thoughts in the content of messages, in every published format that has them there.
	endOfThoughts = "</think>"
	beginThoughts = "<think>"

	// hiddenEnd stands for endOfThoughts where a template must not see it: a character for private use, which transformers also uses
	// for marks.
	hiddenEnd = "\U000f0000"
)

// whole writes a conversation. Some templates (DeepSeek's R1 distills, QwQ) leave out the thoughts of every answer, for they are for
// inference, where answers are history. What the last answer thinks is to be learnt, so it is kept, as TRL's training template does.
func (e *Encoder) whole(chat Conversation) (string, []jinja.Span, error) {
	by := e.Template.of(chat)
	last := len(chat.Messages) - 1
	if last < 0 || !by.dropsThoughts || chat.Messages[last].Role != assistant {
		return e.Template.renderBy(by, chat, false)
	}
	messages := append([]Message{}, chat.Messages...)
	messages[last] = messages[last].hidingThoughts()
	chat.Messages = messages
	text, spans, err := e.Template.renderBy(by, chat, false)
	return strings.ReplaceAll(text, hiddenEnd, endOfThoughts), spans, err
}

// hidingThoughts returns the message with its thoughts in its content, where the template does not know them for thoughts.
func (m Message) hidingThoughts() Message {
	content := m.Content
	thoughts, _ := m.reasoning()
	if text, ok := thoughts.(string); ok && text != "" && !strings.Contains(content, endOfThoughts) {
		content = beginThoughts + "\n" + strings.Trim(text, "\n") + "\n" + endOfThoughts + "\n\n" + strings.TrimLeft(content, "\n")
	}
	if content == m.Content && !strings.Contains(content, endOfThoughts) {
		return m
	}
	return m.saying(strings.ReplaceAll(content, endOfThoughts, hiddenEnd))
}

// thoughts returns what a message thinks, without its tags; "" where it says no thoughts.
func (m Message) thoughts() string {
	if thoughts, ok := m.reasoning(); ok {
		text, _ := thoughts.(string)
		return strings.TrimSpace(text)
	}
	before, _, ok := strings.Cut(m.Content, endOfThoughts)
	if !ok {
		return ""
	}
	return strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(before), beginThoughts))
}
