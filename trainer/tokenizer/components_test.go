package tokenizer

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// Small tokenizers that use one component each; testdata/components/golden.py makes the file.
func TestComponentsAgreeWithHuggingFace(t *testing.T) {
	t.Parallel()
	var golden tokenizerCases
	readGolden(t, "testdata/components/golden.json", &golden)
	golden.check(t)
}

// Small tokenizers of the kinds of T5, XLM-RoBERTa, ALBERT, Gemma and Tekken; testdata/unigram/golden.py makes the file.
func TestKindsAgreeWithHuggingFace(t *testing.T) {
	t.Parallel()
	var golden tokenizerCases
	readZipped(t, "testdata/unigram/golden.json.gz", &golden)
	if len(golden.Cases) != 8 {
		t.Fatalf("%d kinds: the file is not whole", len(golden.Cases))
	}
	golden.check(t)
}

// tokenizerCases are tokenizers with what they make of texts.
type tokenizerCases struct {
	Cases []struct {
		Name      string          `json:"name"`
		Tokenizer json.RawMessage `json:"tokenizer"`
		Tests     []struct {
			Text    string  `json:"text"`
			IDs     []int32 `json:"ids"`
			Special []int32 `json:"special"`
			Decoded string  `json:"decoded"`
		} `json:"tests"`
	} `json:"cases"`
}

func (golden tokenizerCases) check(t *testing.T) {
	t.Helper()
	for _, c := range golden.Cases {
		tok := loadBytes(t, c.Tokenizer)
		for _, test := range c.Tests {
			if got := tok.Encode(test.Text); !slices.Equal(got, test.IDs) {
				t.Errorf("%s: Encode(%q) = %v %q, want %v %q", c.Name, test.Text, got, spelt(tok, got), test.IDs, spelt(tok, test.IDs))
			}
			if got := tok.EncodeSpecial(test.Text); !slices.Equal(got, test.Special) {
				t.Errorf("%s: EncodeSpecial(%q) = %v, want %v", c.Name, test.Text, got, test.Special)
			}
			if got := tok.Decode(test.IDs); got != test.Decoded {
				t.Errorf("%s: Decode(%q) = %q, want %q", c.Name, spelt(tok, test.IDs), got, test.Decoded)
			}
		}
	}
}

// The rules that are written out by hand against the patterns they stand for.
func TestKnownPatternsAgreeWithTheRegularExpressions(t *testing.T) {
	t.Parallel()
	// Characters on which the alternatives hang, and any others.
	char := rapid.OneOf(
		rapid.RuneFrom([]rune("aZs tTrReEvVlLmMdDſ'’019٣½Ⅷ.,!_-\r\n\t\v\u0085\u00a0\u2028\u3000\u200b\u0301é中😀\ufeff")), rapid.Rune())
	for _, pattern := range []string{gpt2Pattern, llama3Pattern, qwen2Pattern} {
		re, err := compile(pattern)
		if err != nil {
			t.Fatal(err)
		}
		next := knownPattern(pattern)
		rapid.Check(t, func(t *rapid.T) {
			text := rapid.StringOfN(char, 0, 40, -1).Draw(t, "text")
			if !utf8.ValidString(text) || strings.ContainsFunc(text, differentlyKnown) {
				t.Skip("not text, or a character that the two libraries' Unicode versions see differently")
			}
			var want, got []string
			mustMatch(re, text, func(from, to int) { want = append(want, text[from:to]) })
			for rest := text; rest != ""; {
				n := next(rest)
				got = append(got, rest[:n])
				rest = rest[n:]
			}
			if !slices.Equal(got, want) {
				t.Fatalf("pieces of %q = %q, want %q", text, got, want)
			}
		})
	}
}

// differentlyKnown: .NET's \s, which regexp2 follows, has no U+001C to U+001F as Go and the reference; none else is known.
func differentlyKnown(r rune) bool { return '\x1c' <= r && r <= '\x1f' }

func TestUnknownPatternsSplit(t *testing.T) {
	t.Parallel()
	// digits from the right, as DeepSeek's
	cut, err := newSplit(&component{Behavior: isolated, Pattern: &splitPattern{Regex: new(`\p{N}{1,3}(?=(?:\p{N}{3})*(?:\P{N}|$))`)}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	cut("é1234567 12", true, func(piece string, _ bool) { got = append(got, piece) })
	if want := []string{"é", "1", "234", "567", " ", "12"}; !slices.Equal(got, want) {
		t.Errorf("pieces = %q, want %q", got, want)
	}
}
