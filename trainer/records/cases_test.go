package records

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// documents reads a file and writes each document, or what is wrong with its row, as a line.
func documents(t *testing.T, path string, columns map[string]string) (lines []string) {
	t.Helper()
	inputs, err := NewResolver(nil).Resolve(t.Context(), []string{path})
	if err != nil {
		return []string{err.Error()}
	}
	inputs[0].Columns = columns
	for doc, err := range inputs[0].Documents(t.Context()) {
		if err != nil {
			lines = append(lines, err.Error())
			continue
		}
		lines = append(lines, spelt(doc))
	}
	return lines
}

func spelt(doc Document) string {
	text := doc.Form.String() + ":"
	switch doc.Form {
	case FormText:
		return fmt.Sprintf("%s %q", text, doc.Text)
	case FormPair:
		return fmt.Sprintf("%s %q %q", text, doc.Prompt, doc.Text)
	case FormIDs:
		return fmt.Sprint(text, " ", doc.IDs, " ", doc.Labels)
	case FormChat, FormInstruction:
	}
	for _, m := range doc.Messages {
		text += fmt.Sprintf(" %s %q", m.Role, m.Content)
	}
	return text
}

// TestFilesAsTheyLieAround: what people call data, as it was reported elsewhere. A line is a document, or a part of the error.
func TestFilesAsTheyLieAround(t *testing.T) {
	t.Parallel()
	const alpha, beta, nothing = `text: "alpha"`, `text: "beta"`, "no column to train on (columns: "
	both := []string{alpha, beta}
	alpaca := []string{
		`instruction and answer: user "Name the capital of the country below.\nFrance" assistant "Paris"`,
		`instruction and answer: user "Say hello." assistant "Hello!"`,
		`instruction and answer: user "Add the numbers.\n2 and 3" assistant "5"`,
	}
	ab := []string{`instruction and answer: user "a" assistant "b"`}
	lfs := []string{"a Git LFS pointer, not the data: fetch the file with git lfs pull"}
	chatAB := []string{`chat: user "a" assistant "b"`}
	chatABCD := []string{`chat: user "a" assistant "b" user "c" assistant "d"`}
	utf16 := []string{"UTF-16 text: save it as UTF-8"}
	cases := map[string][]string{
		"Text.jsonl": {nothing + "Text)"}, "content.jsonl": {nothing + "content)"},
		"a.csv": {`text: "he said \"hi\", ok"`, `text: "two\nlines"`, `text: "plain"`},
		"a.md":  {`text: "# hi\n"`}, "noext": {`text: "plain text\n"`}, "x.text": {`text: "plain\n"`},
		"a.tsv":       {`text: "a \"q\" b"`, `text: "x"`},
		"alpaca.json": alpaca, "alpaca.jsonl": alpaca, "alpaca-array.jsonl": alpaca,
		"backslash.csv": {"backslash.csv:2: cell 1 goes on after its closing quote", `text: "next"`},
		"barequote.csv": {`text: "he said \"hi\" there"`, `text: "5\" pipe"`},
		"bigint.jsonl":  {`text: "a"`}, "deep.jsonl": {`text: "a"`}, "blank.jsonl": both,
		"bom.csv": {alpha}, "bom.jsonl": both, "bom.txt": {`text: "one\ntwo\n"`},
		"cp1252.csv": {"cp1252.csv:2: column text: not UTF-8 text (byte 3)"}, "latin1.jsonl": {"latin1.jsonl:1: not UTF-8 text (byte 13)"},
		"cr.jsonl": {"cr.jsonl:1: not a row of jsonl"}, "crlf.jsonl": both, "crlf.txt": {`text: "one\r\ntwo\r\n"`},
		"crlf.csv": {`text: "a\nb"`, `text: "c"`}, "d.csv": lfs, "d.jsonl": lfs, "d.parquet": lfs, "d.txt": lfs,
		"dpo.jsonl": {"dpo.jsonl:1: a preference row (chosen, rejected), as DPO takes it"},
		"dup.csv":   {"two columns are called text: rename one"}, "dupkey.jsonl": {`text: "second"`},
		"empty.csv": nil, "hdr.csv": nil, "extra.jsonl": {alpha}, "nonl.jsonl": {alpha}, "nan.jsonl": {alpha}, "inf.jsonl": {alpha},
		"emptycompl.jsonl":  {`prompt and completion: "a" ""`},
		"emptyprompt.jsonl": {`prompt and completion: "" "b"`},
		"emptytext.jsonl":   {`text: ""`, `text: "b"`},
		"instr.jsonl":       ab, "prompt-response.jsonl": ab, "qa.jsonl": ab,
		"mixed.jsonl":         {alpha, `prompt and completion: "a" "b"`},
		"msg-developer.jsonl": {`chat: developer "x" user "a" assistant "b"`},
		"msg-empty.jsonl":     {"the conversation is empty"}, "msg-noassist.jsonl": {`chat: user "a"`},
		"msg-num.jsonl":   {`"content" is neither a string, null nor a list of parts`},
		"msg-roles.jsonl": chatAB, "msg-string.jsonl": chatAB, "msgs.csv": chatAB, "msg-train.jsonl": chatABCD, "msg-weight.jsonl": chatABCD,
		"na.csv":       {`text: "NA"`, `text: "null"`, `text: "None"`, `text: "N/A"`, `text: "nan"`},
		"noheader.csv": {nothing + "1, alpha)"}, "nul.jsonl": {`text: "a\x00b"`},
		"null.jsonl": {nothing + "text)", `text: "b"`}, "nulls.jsonl": {`text: "b"`}, "num.jsonl": {"column text: it holds a number, want text"},
		"openai-old.jsonl": {`prompt and completion: "Q: a\n\n###\n\n" " b END"`},
		"pair.jsonl":       {`text: "ok 😀 end"`}, "pandasidx.csv": both, "pretty.jsonl": both, "semi.csv": both,
		"ragged.csv": {"ragged.csv:2: another number of cells", "ragged.csv:3: another number of cells"},
		"single.csv": {"single.csv:2: another number of cells"},
		"spaces.csv": {"spaces.csv:2: cell 1 goes on after its closing quote", `text: " b "`},
		"sharegpt.jsonl": {
			`chat: system "Be brief." user "Hi, who are you?" assistant "A test."`,
			`chat: user "2+2?" assistant "4" user "And 3+3?" assistant "6"`,
		},
		"surrogate.jsonl":      {"surrogate.jsonl:1: not a row of jsonl: \\ud83d is half of a character"},
		"trailing-comma.jsonl": {"trailing-comma.jsonl:1: not a row of jsonl", "trailing-comma.jsonl:2: not a row of jsonl"},
		"u2028.jsonl":          {`text: "a\u2028b\u0085c"`, `text: "d"`},
		"unclosed.csv":         {"unclosed.csv:2: a quote opens cell 1 of the row and is never closed"},
		"utf16.csv":            utf16, "utf16.jsonl": utf16, "train.jsonlines": both,
		"x.JSONL": both, "x.json": both, "x.jsonl.bz2": both, "x.jsonl.gz": both, "x.jsonlines": both, "x.ndjson": both,
	}
	files, err := os.ReadDir("testdata/cases")
	if err != nil || len(files) != len(cases) {
		t.Fatalf("%d files for %d cases, %v", len(files), len(cases), err)
	}
	for name, want := range cases {
		got := documents(t, filepath.Join("testdata/cases", name), nil)
		if !slices.EqualFunc(got, want, func(got, want string) bool {
			return got == want || strings.HasPrefix(got, "invalid input: ") && strings.Contains(got, want)
		}) {
			t.Errorf("%s (-want +got):\n%s", name, cmp.Diff(want, got))
		}
	}
}
