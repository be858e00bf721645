// Package chat turns conversations into text by the model's own chat template, and texts, prompts with their completions and
// conversations into ids and labels.
//
// Words:
//
//   - message: one turn of a conversation, with a role and its content; other keys are kept for the template.
//   - template: the model's own format of a conversation, in Jinja (package jinja), from chat_template.jinja, tokenizer_config.json or
//     the model's GGUF file.
//   - label: a row has as many labels as ids; −100 is not scored (Hugging Face's convention).
//
// The main path is Load and Template.Render for text, and Encoder for ids: Encoder.Conversation is where a chat row becomes ids, and
// only the assistant's turns are scored.
//
//	template, err := chat.Load(modelFiles)
//	text, err := template.Render(messages, true)
//
//	encoder := &chat.Encoder{Tokenizer: tok, Template: template}
//	rows, err := encoder.Conversation(chat.Conversation{Messages: messages}, "file.jsonl:1")
package chat
