package corpus

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// chatsFile writes two conversations.
func chatsFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "chats.jsonl")
	rows := `{"messages":[{"role":"user","content":"Where is the sea?"},{"role":"assistant","content":"In the west."},` +
		`{"role":"user","content":"And now?"},{"role":"assistant","content":"Still there."}]}` + "\n" +
		`{"messages":[{"role":"user","content":"Who?"},{"role":"assistant","content":"Nobody."}]}` + "\n"
	if err := os.WriteFile(path, []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPromptsEndWhereTheAnswerBegins: a conversation's prompt is what the template writes up to the first answer, generation prompt
// included, and what a prompt of one's own becomes.
func TestPromptsEndWhereTheAnswerBegins(t *testing.T) {
	t.Parallel()
	path := chatsFile(t)
	src := chatSource(t, chatML, trial.DataSpec{Train: []string{path}, Validation: []string{path}, SequenceLength: 128})
	prepared, err := Prepare(t.Context(), t.TempDir(), src, nil)
	if err != nil {
		t.Fatal(err)
	}
	prompter, err := NewPrompter(src)
	if err != nil {
		t.Fatal(err)
	}
	var got [][2]string
	prompts := open(t, prepared).Validation().Prompts(5)
	for _, p := range prompts {
		got = append(got, [2]string{prompter.Text(p.IDs), prompter.Text(p.Expected)})
	}
	want := [][2]string{
		{"<|im_start|>user\nWhere is the sea?<|im_end|>\n<|im_start|>assistant\n", "In the west.<|im_end|>\n"},
		{"<|im_start|>user\nWho?<|im_end|>\n<|im_start|>assistant\n", "Nobody.<|im_end|>\n"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("prompts (-want +got):\n%s", diff)
	}
	own, err := prompter.Prompt(t.Context(), "Who?")
	if err != nil || !slices.Equal(own, prompts[1].IDs) {
		t.Errorf("Prompt = %v, %v, want the row's %v", own, err, prompts[1].IDs)
	}
}

func TestPromptsOfTextAndPairs(t *testing.T) {
	t.Parallel()
	const no = trial.IgnoredLabel
	for name, tc := range map[string]struct {
		row  Row
		want Prompt
	}{
		"the longest document": {
			Row{IDs: []int32{1, 2, 3, 4, 5, 6, 7}, Labels: []int32{1, 2, no, 4, 5, 6, no}, Segments: []int32{0, 0, 1, 1, 1, 1, 2}},
			Prompt{IDs: []int32{3, 4}, Expected: []int32{5, 6}},
		},
		"padded": {
			Row{IDs: []int32{1, 2, 3, 4, 0, 0}, Labels: []int32{no, no, 3, 4, no, no}, Segments: make([]int32, 6)},
			Prompt{IDs: []int32{1, 2}, Expected: []int32{3, 4}},
		},
		"only the first id is not scored": {
			Row{IDs: []int32{1, 2, 3, 4}, Labels: []int32{no, 2, 3, 4}, Segments: make([]int32, 4)},
			Prompt{IDs: []int32{1, 2}, Expected: []int32{3, 4}},
		},
		"two answers": {
			Row{IDs: []int32{1, 2, 3, 4, 5}, Labels: []int32{no, no, 3, no, 5}, Segments: make([]int32, 5)},
			Prompt{IDs: []int32{1, 2}, Expected: []int32{3}},
		},
	} {
		if diff := cmp.Diff(tc.want, promptOf(tc.row)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestPromptsOfText: a prompt for rows of text is the text itself.
func TestPromptsOfText(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "notes.txt")
	if err := os.WriteFile(path, []byte("some notes"), 0o600); err != nil {
		t.Fatal(err)
	}
	prompter, err := NewPrompter(chatSource(t, chatML, trial.DataSpec{Train: []string{path}, SequenceLength: 16}))
	if err != nil {
		t.Fatal(err)
	}
	ids, err := prompter.Prompt(t.Context(), "Who?")
	if err != nil || prompter.Text(ids) != "Who?" {
		t.Errorf("Prompt = %q, %v", prompter.Text(ids), err)
	}
}

func TestStops(t *testing.T) {
	t.Parallel()
	tok := goldenTokenizer(t)
	eos, ok := tok.EOS()
	text, _ := tok.Token(eos)
	if !ok || !tok.Special(eos) || tok.Special(5) {
		t.Fatalf("the tokenizer's end of text is %d (%q)", eos, text)
	}
	ending := strings.ReplaceAll(chatML, "<|im_end|>", text)
	for name, tc := range map[string]struct {
		config, generation, template string
		nameless                     bool // the tokenizer names no end of text
		want                         []int32
	}{
		"none":              {`{}`, "", chatML, true, nil},
		"the tokenizer's":   {`{}`, "", chatML, false, []int32{eos}},
		"the template's":    {`{"eos_token_id": null}`, "", ending, true, []int32{eos}},
		"one of the config": {`{"eos_token_id": 7}`, "", chatML, false, []int32{7, eos}},
		"a list of them":    {`{"eos_token_id": 7}`, `{"eos_token_id": [9, 7]}`, chatML, false, []int32{7, 9, eos}},
	} {
		src := chatSource(t, tc.template, trial.DataSpec{SequenceLength: 16})
		files, ok := src.Files.(fstest.MapFS)
		if !ok {
			t.Fatal("the files are no map")
		}
		files["config.json"] = &fstest.MapFile{Data: []byte(tc.config)}
		if tc.nameless {
			files["tokenizer_config.json"] = &fstest.MapFile{Data: []byte("{}")}
		}
		if tc.generation != "" {
			files["generation_config.json"] = &fstest.MapFile{Data: []byte(tc.generation)}
		}
		p, err := NewPrompter(src)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.Stops(); err != nil || !slices.Equal(got, tc.want) {
			t.Errorf("%s: Stops = %v, %v, want %v", name, got, err, tc.want)
		}
		files["generation_config.json"] = &fstest.MapFile{Data: []byte(`{"eos_token_id": "x"}`)}
		if _, err := p.Stops(); err == nil || !strings.Contains(err.Error(), "generation_config.json: eos_token_id") {
			t.Errorf("%s: Stops of a broken file = %v", name, err)
		}
	}
}
