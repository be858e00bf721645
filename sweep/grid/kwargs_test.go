package grid

import (
	"strings"
	"testing"
)

func TestChatTemplateKwargs(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]string{
		"{enable_thinking: false}":                              `{"enable_thinking":false}`,
		`{b: 1, a: 1.0, c: -2.50, d: 1e30, e: +3}`:              `{"b":1,"a":1.0,"c":-2.5,"d":1e+30,"e":3}`,
		`{a: text, b: "1", c: null, d: [1, {e: true}], f: no}`:  `{"a":"text","b":"1","c":null,"d":[1,{"e":true}],"f":"no"}`,
		"\n    mode: fast\n    text: |\n      two\n      lines": `{"mode":"fast","text":"two\nlines\n"}`,
		"{}":           "",
		"[1]":          "",
		"{a: 1, a: 2}": "",
		"{a: .inf}":    "",
		"{a: 0x10}":    "",
	} {
		g, err := Parse("a.yaml", []byte("model: builtin:gopher\nlora: {rank: [1], target_modules: [c_attn]}\ntrain: {steps: 1}\n"+
			"data:\n  train: builtin:go-doc\n  validation_split: 0.1\n  sequence_length: 8\n  chat_template_kwargs: "+written+"\n"))
		if want == "" {
			if err == nil || !strings.Contains(err.Error(), "data.chat_template_kwargs: got ") {
				t.Errorf("%s: %v, want an error about data.chat_template_kwargs", written, err)
			}
			continue
		}
		if got := string(g.data.ChatTemplateKwargs); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", written, got, err, want)
		}
	}
}
