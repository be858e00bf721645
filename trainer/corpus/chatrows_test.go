package corpus

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/chat"
	"github.com/ranksweep/ranksweep/trainer/records"
	"github.com/ranksweep/ranksweep/trainer/records/recordstest"
	"github.com/ranksweep/ranksweep/trainer/tokenizer"
)

// chatML is the template of many models, without a system prompt of its own.
const chatML = `{% for m in messages %}<|im_start|>{{ m['role'] }}
{{ m['content'] }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`

// forgetful drops what earlier assistant turns said.
const forgetful = `{% for m in messages %}{% if loop.last or m.role != 'assistant' %}{{ m.role }}: {{ m.content }}
{% endif %}{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}`

func chatSource(t *testing.T, template string, spec trial.DataSpec) Source {
	t.Helper()
	src := goldenSource(t, spec)
	files := fstest.MapFS{"chat_template.jinja": {Data: []byte(template)}}
	for _, name := range []string{"tokenizer.json", "tokenizer_config.json"} {
		body, err := fs.ReadFile(src.Files, name)
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(files, fstest.MapFS{name: {Data: body}})
	}
	src.Files = files
	return src
}

type parquetMessage struct {
	Role    string  `parquet:"role"`
	Content *string `parquet:"content,optional"`
}

type parquetChat struct {
	Messages []parquetMessage `parquet:"messages,list"`
}

type parquetTurns struct {
	Prompt     []parquetMessage `parquet:"prompt,list"`
	Completion []parquetMessage `parquet:"completion,list"`
}

// TestAssistantTurnsAreScored: from the end of the generation prompt to the end of the turn, as the template writes it.
func TestAssistantTurnsAreScored(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const user, first, again, second = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", "Anne.<|im_end|>\n",
		"<|im_start|>user\nAnd?<|im_end|>\n<|im_start|>assistant\n", "No.<|im_end|>\n"
	messages := `{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Anne."}, {"role": "user", "content": "And?"}`
	turns := func(texts ...string) (all []parquetMessage) {
		for i, text := range texts {
			all = append(all, parquetMessage{[]string{"user", "assistant"}[i%2], &text})
		}
		return all
	}
	const answer = `{"role": "assistant", "content": "No."}`
	cases := map[string]struct {
		path   string
		scored string
	}{
		"messages": {recordstest.Write(t, dir, "a.jsonl", `{"messages": [`+messages+`, `+answer+`]}`), first + second},
		"pair":     {recordstest.Write(t, dir, "b.jsonl", `{"prompt": [`+messages+`], "completion": [`+answer+`]}`), second},
		"parquet": {
			recordstest.WriteParquet(t, filepath.Join(dir, "c.parquet"), []parquetChat{{turns("Hi", "Anne.", "And?", "No.")}}),
			first + second,
		},
		"parquet pair": {
			recordstest.WriteParquet(t, filepath.Join(dir, "d.parquet"),
				[]parquetTurns{{turns("Hi", "Anne.", "And?"), turns("-", "No.")[1:]}}), second,
		},
	}
	for name, c := range cases {
		spec := trial.DataSpec{Train: []string{c.path}, Validation: []string{c.path}, SequenceLength: 512, Packing: true}
		samples, warnings, err := Samples(t.Context(), chatSource(t, chatML, spec), 0)
		if err != nil || len(samples) != 1 || len(warnings) > 0 {
			t.Errorf("%s: %d samples, warnings %q, %v", name, len(samples), warnings, err)
			continue
		}
		s := samples[0]
		var scored []int32
		for i, label := range s.Labels {
			if label != trial.IgnoredLabel {
				if label != s.InputIDs[i] {
					t.Errorf("%s: label %d of id %d", name, label, s.InputIDs[i])
				}
				scored = append(scored, label)
			}
		}
		if got := goldenTokenizer(t).Decode(scored); s.Text != user+first+again+second || got != c.scored {
			t.Errorf("%s: text %q, scored %q, want %q", name, s.Text, got, c.scored)
		}
		spec.ScorePrompts = true
		samples, _, err = Samples(t.Context(), chatSource(t, chatML, spec), 0)
		if err != nil || !cmp.Equal(samples[0].Labels, samples[0].InputIDs) {
			t.Errorf("%s with completion_only_loss: false: %v, labels %v", name, err, samples)
		}
	}
}

func TestChatRowsThatCannotBeScored(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const two = `{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Anne."}`
	long := recordstest.Write(t, dir, "long.jsonl", `{"messages": [`+two+`, `+two+`]}`)
	short := recordstest.Write(t, dir, "short.jsonl", `{"messages": [`+two+`]}`)
	split := recordstest.Write(t, dir, "split.jsonl",
		`{"prompt": [`+two+`, {"role": "user", "content": "x"}], "completion": [{"role": "assistant", "content": "y"}]}`)
	silent := recordstest.Write(t, dir, "silent.jsonl", `{"messages": [{"role": "user", "content": "x"}]}`)
	cases := map[string]struct{ path, template, want string }{
		"refuses": {short, `{{ raise_exception("no such role") }}`, "short.jsonl:1: invalid input: chat template"},
		"silent":  {silent, chatML, "silent.jsonl:1: no supervised token"},
	}
	for name, c := range cases {
		spec := trial.DataSpec{Train: []string{c.path}, Validation: []string{c.path}, SequenceLength: 64}
		_, err := Prepare(t.Context(), t.TempDir(), chatSource(t, c.template, spec), nil)
		if !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an input error with %q", name, err, c.want)
		}
	}
	for _, path := range []string{short, split, long} {
		spec := trial.DataSpec{Train: []string{path}, Validation: []string{path}, SequenceLength: 64}
		if _, _, err := Samples(t.Context(), chatSource(t, forgetful, spec), 0); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	spec := trial.DataSpec{Train: []string{short}, Validation: []string{short}, SequenceLength: 64}
	if _, _, err := Samples(t.Context(), goldenSource(t, spec), 0); !errors.Is(err, trial.ErrInput) ||
		!strings.Contains(err.Error(), "short.jsonl:1: ") {
		t.Errorf("without a template: %v", err)
	}
}

// TestSettingsChangeTheFingerprint: a corpus in the cache is never taken for one that other settings would make.
func TestSettingsChangeTheFingerprint(t *testing.T) {
	t.Parallel()
	path := recordstest.Write(t, t.TempDir(), "a.jsonl",
		`{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Anne."}]}`)
	spec := trial.DataSpec{Train: []string{path}, Validation: []string{path}, SequenceLength: 64}
	seen := map[string]string{}
	for name, edit := range map[string]func(*Source){
		"base":     func(*Source) {},
		"prompts":  func(s *Source) { s.Spec.ScorePrompts = true },
		"retain":   func(s *Source) { s.Spec.Retain = []string{path} },
		"packing":  func(s *Source) { s.Spec.Packing = true },
		"length":   func(s *Source) { s.Spec.SequenceLength = 32 },
		"drawn":    func(s *Source) { s.Spec.ValidationSequences = 1 },
		"template": func(s *Source) { *s = chatSource(t, chatML+" ", spec) },
		"kwargs":   func(s *Source) { s.Spec.ChatTemplateKwargs = []byte(`{"enable_thinking":false}`) },
	} {
		src := chatSource(t, chatML, spec)
		edit(&src)
		p, err := newPlan(t.Context(), src)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[p.fingerprint()]; ok {
			t.Errorf("%s has the fingerprint of %s", name, other)
		}
		seen[p.fingerprint()] = name
	}
}

// TestTextBeginsAsItsTokenizerSays: plain text and prompts get the beginning-of-text token of a Llama 3 tokenizer, once; what a chat
// template writes is complete.
func TestTextBeginsAsItsTokenizerSays(t *testing.T) {
	t.Parallel()
	tok, err := tokenizer.Load(os.DirFS("../tokenizer/testdata/llama3"))
	if err != nil {
		t.Fatal(err)
	}
	added := tok.EncodeSpecial("")
	if len(added) != 1 {
		t.Fatalf("the tokenizer adds %v to a text, want one token", added)
	}
	bos := added[0]
	template, err := chat.Parse(chatML, nil)
	if err != nil {
		t.Fatal(err)
	}
	enc := &encoder{Encoder: chat.Encoder{Tokenizer: tok, Template: template}}
	prompt := append([]int32{bos}, tok.Encode("Anne:")...)
	for name, c := range map[string]struct {
		doc    records.Document
		starts []int32
		scored int // from which id on
	}{
		"text": {records.Document{Form: records.FormText, Text: "Anne: yes"}, prompt, 0},
		"pair": {records.Document{Form: records.FormPair, Prompt: "Anne:", Text: " yes"}, prompt, len(prompt)},
		"chat": {
			records.Document{Form: records.FormChat, Messages: []chat.Message{{Role: "user", Content: "a"}, {Role: "assistant", Content: "b"}}},
			tok.Encode("<|im_start|>user\n"), len(tok.Encode("<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n")),
		},
	} {
		rows, _, err := enc.encode(c.doc)
		if err != nil || len(rows) != 1 {
			t.Fatalf("%s: %d rows, %v", name, len(rows), err)
		}
		r := rows[0]
		want := scoredFrom(r.IDs, c.scored)
		if n := len(c.starts); !cmp.Equal(c.starts, r.IDs[:n]) || !cmp.Equal(want, r.Labels) || slices.Contains(r.IDs[1:], bos) {
			t.Errorf("%s: ids %v, labels %v, want it to start %v and to be scored from %d on", name, r.IDs, r.Labels, c.starts, c.scored)
		}
	}
}

// TestAnEndingTokenizerTearsNoToken: where the tokenizer ends every text, a prompt alone would end too, but goes on in its row.
func TestAnEndingTokenizerTearsNoToken(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile("../tokenizer/testdata/llama3/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]any
	if err := json.Unmarshal(body, &file); err != nil {
		t.Fatal(err)
	}
	file["post_processor"] = map[string]any{
		"type": "TemplateProcessing", "special_tokens": map[string]any{"end": map[string]any{"ids": []int32{7}}},
		"single": []any{map[string]any{"Sequence": map[string]any{"id": "A"}}, map[string]any{"SpecialToken": map[string]any{"id": "end"}}},
	}
	if body, err = json.Marshal(file); err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.Load(fstest.MapFS{"tokenizer.json": {Data: body}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := tok.EncodeSpecial("Anne:"), append(tok.Encode("Anne:"), 7); !slices.Equal(got, want) {
		t.Fatalf("EncodeSpecial = %v, want %v", got, want)
	}
	enc := &encoder{Encoder: chat.Encoder{Tokenizer: tok}}
	prompt := tok.EncodeBeginning("Anne:")
	rows, _, err := enc.encode(records.Document{Form: records.FormPair, Prompt: "Anne:", Text: " yes"})
	if err != nil || len(rows) != 1 {
		t.Fatalf("encode = %d rows, %v", len(rows), err)
	}
	r := rows[0]
	if want := scoredFrom(r.IDs, len(prompt)); !slices.Equal(r.Labels, want) || len(enc.Warnings()) > 0 {
		t.Errorf("encode = %v, %v, warnings %q, want labels %v and no warning", r, err, enc.Warnings(), want)
	}
}

// TestChatsAreSplitByAllTheySay: conversations whose content is a list of parts differ by those, not only by roles.
func TestChatsAreSplitByAllTheySay(t *testing.T) {
	t.Parallel()
	s, held := splitter{fraction: 0.5}, 0
	for i := range 200 {
		doc := records.Document{Form: records.FormChat}
		if err := json.Unmarshal(fmt.Appendf(nil, `[{"role": "user", "content": [{"type": "text", "text": "%d"}]}]`, i),
			&doc.Messages); err != nil {
			t.Fatal(err)
		}
		out, err := s.holds(doc)
		if again, _ := s.holds(doc); err != nil || again != out {
			t.Fatalf("holds = %v, again %v, %v", out, again, err)
		}
		if out {
			held++
		}
	}
	if held < 70 || held > 130 { // 4 sd of a binomial
		t.Errorf("%d of 200 conversations are held out, want about half", held)
	}
}

// A template that writes the date makes other rows tomorrow: people are told, and only where it wrote a row.
func TestDatedTemplatesAreToldOf(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const dated = `{{ strftime_now("%Y") }}` + chatML
	chat := recordstest.Write(t, dir, "a.jsonl",
		`{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Anne."}]}`)
	text := recordstest.Write(t, dir, "b.jsonl", `{"text": "Anne"}`)
	for _, c := range []struct {
		template, path string
		want           int
	}{{dated, chat, 1}, {dated, text, 0}, {chatML, chat, 0}} {
		spec := trial.DataSpec{Train: []string{c.path}, Validation: []string{c.path}, SequenceLength: 64}
		_, warnings, err := Samples(t.Context(), chatSource(t, c.template, spec), 0)
		if err != nil || len(warnings) != c.want || c.want == 1 && !strings.Contains(warnings[0], "date") {
			t.Errorf("template %.20q on %s: warnings %q, %v, want %d", c.template, c.path, warnings, err, c.want)
		}
	}
}

// TestListsOfParts: a template gets a list as it is. One that does not read it says so, with the place and the fix; one that writes
// something else than the text is warned of.
func TestListsOfParts(t *testing.T) {
	t.Parallel()
	const (
		reads   = `{% for m in messages %}{% for p in m.content %}{{ p.text if m.content is not string else p }}{% endfor %}{% endfor %}`
		adds    = `{% for m in messages %}{{ m.role + ': ' + m.content }}{% endfor %}`
		ignores = `{% for m in messages %}{{ m.content if m.content is string }}.{% endfor %}`
		refuses = `{{ raise_exception('no') }}`
	)
	path := recordstest.Write(t, t.TempDir(), "a.jsonl",
		`{"messages": [{"role": "user", "content": "Hi "}, {"role": "assistant", "content": [{"type": "text", "text": "An"}, {"type": `+
			`"text", "text": "ne."}]}]}`)
	for name, c := range map[string]struct{ template, text, warning, err string }{
		"reads": {template: reads, text: "Hi Anne."},
		"adds": {template: adds, err: path +
			":1: the content of message 2 is a list of parts, which the model's chat template does not read: join the text parts into one string: "},
		"ignores": {
			template: ignores, text: "Hi ..",
			warning: "in 1 conversation content is a list of parts, which the model's chat template writes otherwise than the same text " +
				"as one string (the first at " + path + ":1)",
		},
		"prints": {template: chatML, text: "<|im_start|>user\nHi <|im_end|>\n<|im_start|>assistant\n[{'type': 'text', 'text': 'An'}, " +
			"{'type': 'text', 'text': 'ne.'}]<|im_end|>\n", warning: path},
		"refuses": {template: refuses, err: path + ":1: invalid input: chat template: "},
	} {
		spec := trial.DataSpec{Train: []string{path}, Validation: []string{path}, SequenceLength: 64, ScorePrompts: true}
		samples, warnings, err := Samples(t.Context(), chatSource(t, c.template, spec), 0)
		if c.err != "" {
			if !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v, want an input error with %q", name, err, c.err)
			}
			continue
		}
		if err != nil || len(samples) != 1 || samples[0].Text != c.text {
			t.Errorf("%s: samples %+v, %v, want the text %q", name, samples, err, c.text)
		}
		if told := strings.Join(warnings, ""); (told == "") != (c.warning == "") || !strings.Contains(told, c.warning) {
			t.Errorf("%s: warnings %q, want %q", name, warnings, c.warning)
		}
	}
}
