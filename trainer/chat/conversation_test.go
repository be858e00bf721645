package chat

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

func messagesOf(t *testing.T, body string) []Message {
	t.Helper()
	var messages []Message
	if err := json.Unmarshal([]byte(body), &messages); err != nil {
		t.Fatal(err)
	}
	return messages
}

func TestToolsAndKwargsReachTheTemplate(t *testing.T) {
	t.Parallel()
	template, err := Parse(`{{ tools | tojson }}{{ enable_thinking }}{{ mode }}{{ bos_token }}{{ documents }}`,
		map[string]string{"bos_token": "<s>"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ tools, kwargs, want string }{
		{`null`, `null`, "null" + "slow" + "<s>None"},
		{`[]`, `{}`, "null" + "slow" + "<s>None"},
		{`"[{\"name\": \"f\"}]"`, `"{\"enable_thinking\": false}"`, `[{"name": "f"}]` + "Falseslow<s>None"},
		{`[{"name": "f", "a": 1.0}]`, `{"mode": null, "bos_token": "B", "documents": []}`, `[{"name": "f", "a": 1.0}]` + "NoneB[]"},
	} {
		conversation := Conversation{Messages: []Message{{Role: "user"}}}
		var grid Kwargs
		for into, body := range map[json.Unmarshaler]string{
			&conversation.Tools: c.tools, &conversation.Kwargs: c.kwargs, &grid: `{"mode": "slow"}`,
		} {
			if err := into.UnmarshalJSON([]byte(body)); err != nil {
				t.Fatalf("%s: %v", body, err)
			}
		}
		conversation.Kwargs = conversation.Kwargs.over(grid)
		if got, err := template.render(conversation, false); err != nil || got != c.want {
			t.Errorf("tools %s, kwargs %s: render = %q, %v, want %q", c.tools, c.kwargs, got, err, c.want)
		}
	}
	for _, body := range []string{`5`, `{}`, `[1]`, `"x"`, `"[1]"`} {
		if err := new(Tools).UnmarshalJSON([]byte(body)); err == nil {
			t.Errorf("tools %s: want an error", body)
		}
	}
	for _, body := range []string{`5`, `[]`, `"x"`, `{"messages": []}`, `{"add_generation_prompt": true}`} {
		if err := new(Kwargs).UnmarshalJSON([]byte(body)); err == nil {
			t.Errorf("kwargs %s: want an error", body)
		}
	}
}

func TestTemplateForTools(t *testing.T) {
	t.Parallel()
	with := Conversation{Messages: []Message{{Role: "user"}}}
	if err := with.Tools.UnmarshalJSON([]byte(`[{}]`)); err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string]fstest.MapFS{
		"config": {"tokenizer_config.json": {Data: []byte(
			`{"chat_template": [{"name": "tool_use", "template": "tools"}, {"name": "rag", "template": "{{"}, ` +
				`{"name": "default", "template": "plain"}]}`)}},
		"files": {
			"chat_template.jinja":                      {Data: []byte("plain")},
			"additional_chat_templates/tool_use.jinja": {Data: []byte("tools")},
		},
	} {
		template, err := Load(files)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for want, c := range map[string]Conversation{"plain": {Messages: with.Messages}, "tools": with} {
			if got, err := template.render(c, false); err != nil || got != want {
				t.Errorf("%s: render = %q, %v, want %q", name, got, err, want)
			}
		}
	}
	_, err := Load(fstest.MapFS{"chat_template.jinja": {Data: []byte("a")}, "additional_chat_templates/tool_use.jinja": {Data: []byte("{{")}})
	if !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), "tool_use") {
		t.Errorf("Load = %v, want an input error that names tool_use", err)
	}
}

func TestWeights(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`"weight": 0`: "true", `"weight": 1`: "false", `"weight": 0.0`: "true", `"weight": 1.0`: "false", `"weight": null`: "false",
		`"train": false`: "true", `"train": true`: "false", `"train": null`: "false",
		`"weight": 0.5`: "only 0 (not scored) and 1", `"weight": "0"`: "only 0 (not scored) and 1", `"train": 0`: "want true, or false",
	} {
		var m Message
		err := json.Unmarshal([]byte(`{"role": "assistant", "content": "a", `+body+`}`), &m)
		got := map[bool]string{false: "false", true: "true"}[m.Muted]
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
}

// TestMutedTurns are not scored, whatever else decides what is.
func TestMutedTurns(t *testing.T) {
	t.Parallel()
	const (
		prompt = "{% if add_generation_prompt %}assistant: {% endif %}"
		plain  = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}" + prompt
		marked = "{% for m in messages %}{{ m.role }}: {% generation %}{{ m.content if m.role == 'assistant' }}{% endgeneration %}\n" +
			"{% endfor %}" + prompt
		forgetful = "{% for m in messages %}{% if loop.last or m.role != 'assistant' %}{{ m.role }}: {{ m.content }}\n{% endif %}" +
			"{% endfor %}" + prompt
	)
	messages := messagesOf(t, `[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "weight": 0},
		{"role": "user", "content": "c"}, {"role": "assistant", "content": "d"}, {"role": "user", "content": "e", "weight": 0},
		{"role": "assistant", "content": "f"}]`)
	tok := goldenTok(t)
	for name, c := range map[string]struct {
		template string
		given    int
		all      bool
		want     []string
		err      string
	}{
		"one row":     {template: plain, want: []string{"d\n", "f\n"}},
		"marked":      {template: marked, want: []string{"d", "f"}},
		"row a turn":  {template: forgetful, want: []string{"d\n", "f\n"}},
		"completion":  {template: plain, given: 1, want: []string{"user: c\nassistant: d\nuser: e\nassistant: f\n"}},
		"given":       {template: plain, given: 3, want: []string{"d\nuser: e\nassistant: f\n"}},
		"all":         {template: plain, all: true, want: []string{"user: a\nassistant:", "user: c\nassistant: d\nuser: e\nassistant: f\n"}},
		"all, unsure": {template: forgetful, all: true, err: "message 2 is not to be scored"},
	} {
		template, err := Parse(c.template, nil)
		if err != nil {
			t.Fatal(err)
		}
		enc := &Encoder{Tokenizer: tok, Template: template, ScorePrompts: c.all}
		rows, err := enc.Conversation(Conversation{Messages: messages, Given: c.given}, "x")
		if c.err != "" {
			if !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v, want an input error with %q", name, err, c.err)
			}
			continue
		}
		got := []string{}
		for _, r := range runsOf(tok, rows...) {
			got = append(got, strings.TrimPrefix(r.scored, " "))
		}
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v, scored: -want +got\n%s", name, err, diff)
		}
	}
}

// TestWhatIsLostIsToldOf: what a template does to a conversation that a person would not see from its loss.
func TestWhatIsLostIsToldOf(t *testing.T) {
	t.Parallel()
	const begin, prompt = "{% for m in messages %}<{{ m.role }}>", "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
	for name, c := range map[string]struct{ template, messages, want string }{
		"thoughts": {
			begin + "{{ m.content }}" + prompt, `[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "thinking": "so"}]`,
			"leaves out the thoughts of answers (the first at x)",
		},
		"quoted": {
			begin + "{{ m.tool_calls[0].function.arguments | tojson if m.tool_calls }}" + prompt,
			`[{"role": "user", "content": "a"}, {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{\"a\": 1}"}}]}]`,
			"quotes once more (the first at x)",
		},
		"prompted": {
			begin + "{{ m.content }}" + prompt + "{% if add_generation_prompt %}<think>{% endif %}",
			`[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]`,
			"the answer does not begin as the model's chat template prompts for it (the first at x)",
		},
		"nothing": {
			begin + "{{ m.content }}{{ m.thinking }}{{ m.tool_calls[0].function.arguments if m.tool_calls }}" + prompt,
			`[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "reasoning": "so",
				"tool_calls": [{"function": {"arguments": "{}"}}]}]`, "",
		},
	} {
		template, err := Parse(c.template, nil)
		if err != nil {
			t.Fatal(err)
		}
		enc := &Encoder{Tokenizer: goldenTok(t), Template: template}
		if _, err := enc.Conversation(Conversation{Messages: messagesOf(t, c.messages)}, "x"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		told := strings.Join(enc.Warnings(), "\n")
		if (told == "") != (c.want == "") || !strings.Contains(told, c.want) {
			t.Errorf("%s: warnings %q, want %q", name, told, c.want)
		}
		if enc.Forget(); len(enc.Warnings()) > 0 {
			t.Errorf("%s: warnings after Forget", name)
		}
	}
}

// TestUnknowableTurns: a template that changes what comes before an answer by what follows cannot be trained on answers alone.
func TestUnknowableTurns(t *testing.T) {
	t.Parallel()
	template, err := Parse("{{ messages | length }}{% for m in messages %}{{ m.content }}{% endfor %}{{ add_generation_prompt }}", nil)
	if err != nil {
		t.Fatal(err)
	}
	messages := []Message{{Role: "user", Content: "a"}, {Role: assistant, Content: "b"}}
	_, err = (&Encoder{Tokenizer: goldenTok(t), Template: template}).Conversation(Conversation{Messages: messages}, "x")
	if !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), "message 2") {
		t.Errorf("Conversation = %v, want an input error about message 2", err)
	}
}

// TestTemplateThatFiltersAbsentTools: as functionary's does.
func TestTemplateThatFiltersAbsentTools(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile("testdata/none-filter.jinja")
	if err != nil {
		t.Fatal(err)
	}
	template, err := Parse(string(body), nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := template.Render([]Message{{Role: "user", Content: "a"}}, true)
	if want := "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n"; err != nil || got != want {
		t.Errorf("Render = %q, %v, want %q", got, err, want)
	}
}
