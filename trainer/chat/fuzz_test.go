package chat

import (
	"encoding/json"
	"testing"
	"testing/fstest"
)

// FuzzTemplate: whatever a model brings as its template, loading and rendering it ends soon, with a text or an error.
func FuzzTemplate(f *testing.F) {
	var golden goldenChat
	readGolden(f, "testdata/golden.json", &golden)
	for _, source := range []string{
		"{% for m in messages %}{{ m.role ~ m.content|trim }}{% endfor %}",
		"{{ messages|tojson(indent=2) }}{{ messages[::-1][0]['role'].split('s', 1) }}",
		"{% macro m(a, b=1) %}{{ caller(a) }}{% endmacro %}{% call(x) m(2) %}{{ x }}{% endcall %}",
		"{% set ns = namespace(a=1) %}{% set ns.a %}x{% endset %}{{ ns.a }}",
		"{% for a, b in messages[0].items() recursive %}{{ loop(b) if loop.first else b }}{% endfor %}",
		"{% raw %}{{ {% endraw %}{#- x -#}\n {%+ if 1 %}{% endif %}",
		"{{ 'a' * 99999 * 99999 }}", "{{ range(99999)|map('list')|list }}",
	} {
		f.Add(source)
	}
	f.Fuzz(func(t *testing.T, source string) {
		if c, err := Load(fstest.MapFS{"chat_template.jinja": {Data: []byte(source)}}); err == nil {
			_, _ = c.Render(golden.Cases[6].Messages, true) // an error is as good as a text
		}
	})
}

// FuzzConversation: whatever a row holds, it becomes rows with as many labels as ids, or an error.
func FuzzConversation(f *testing.F) {
	var golden goldenMasks
	readGolden(f, "testdata/masks.json", &golden)
	var encoders []*Encoder
	for _, g := range golden.Templates {
		template, err := Parse(g.Own, golden.Tokens)
		if err != nil {
			f.Fatal(err)
		}
		encoders = append(encoders, &Encoder{Tokenizer: goldenTok(f), Template: template})
	}
	for _, c := range golden.Templates[0].Cases {
		messages, err := Canonical(c.Row.Messages)
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(messages), []byte(`[{"name": "f"}]`), []byte(`{"enable_thinking": false}`), byte(0))
	}
	f.Fuzz(func(t *testing.T, messages, tools, kwargs []byte, given byte) {
		var c Conversation
		if json.Unmarshal(messages, &c.Messages) != nil || json.Unmarshal(tools, &c.Tools) != nil || json.Unmarshal(kwargs, &c.Kwargs) != nil {
			return
		}
		c.Given = min(int(given), max(0, len(c.Messages)-1))
		for _, e := range encoders {
			rows, err := e.Conversation(c, "x")
			for _, row := range rows {
				if err == nil && len(row.IDs) != len(row.Labels) {
					t.Errorf("%d ids, %d labels", len(row.IDs), len(row.Labels))
				}
			}
		}
	})
}
