package chat_test

import (
	"fmt"

	"github.com/ranksweep/ranksweep/trainer/chat"
	"github.com/ranksweep/ranksweep/trainer/tokenizer"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

const chatML = `{% for m in messages %}<|im_start|>{{ m.role }}
{{ m.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`

func ExampleTemplate_Render() {
	template, err := chat.Parse(chatML, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := template.Render([]chat.Message{{Role: "user", Content: "Where is the sea?"}}, true)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(text)
	// Output:
	// <|im_start|>user
	// Where is the sea?<|im_end|>
	// <|im_start|>assistant
}

// Of a conversation the assistant's turns are scored.
func ExampleEncoder_Conversation() {
	files, err := weights.Builtin("gopher")
	if err != nil {
		fmt.Println(err)
		return
	}
	tok, err := tokenizer.Load(files)
	if err != nil {
		fmt.Println(err)
		return
	}
	template, err := chat.Parse(chatML, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	encoder := &chat.Encoder{Tokenizer: tok, Template: template}
	messages := []chat.Message{{Role: "user", Content: "Hi"}, {Role: "assistant", Content: "Hello!"}}
	rows, err := encoder.Conversation(chat.Conversation{Messages: messages}, "")
	if err != nil {
		fmt.Println(err)
		return
	}
	var scored []int32
	for i, label := range rows[0].Labels {
		if label >= 0 {
			scored = append(scored, rows[0].IDs[i])
		}
	}
	fmt.Printf("%q\n", tok.Decode(scored))
	// Output: "Hello!<|im_end|>\n"
}
