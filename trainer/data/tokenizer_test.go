package data

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ranksweep/ranksweep/sweep"
)

// goldenTokens is testdata/gpt2/tests.json: ids and texts of Hugging Face's tokenizers library, version in the file.
type goldenTokens struct {
	Tests []struct {
		Text    string  `json:"text"`
		IDs     []int32 `json:"ids"`
		Decoded string  `json:"decoded"`
	} `json:"tests"`
	DecodeTests []struct {
		IDs  []int32 `json:"ids"`
		Text string  `json:"text"`
	} `json:"decode_tests"`
	LongText []int32 `json:"long_text_ids"`
}

func TestTokenizerAgreesWithHuggingFace(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile("testdata/gpt2/tests.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden goldenTokens
	if err := json.Unmarshal(body, &golden); err != nil {
		t.Fatal(err)
	}
	long, err := os.ReadFile("testdata/gpt2/long_text.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"tokenizer.json", "tokenizer_oldmerges.json"} {
		tok := loadGolden(t, file)
		for _, c := range golden.Tests {
			if got := tok.Encode(c.Text); !cmp.Equal(got, c.IDs) {
				t.Errorf("%s: Encode(%q) = %v, want %v", file, c.Text, got, c.IDs)
			}
			if got := tok.Decode(c.IDs); got != c.Decoded {
				t.Errorf("%s: Decode(%v) = %q, want %q", file, c.IDs, got, c.Decoded)
			}
		}
		for _, c := range golden.DecodeTests {
			if got := tok.Decode(c.IDs); got != c.Text {
				t.Errorf("%s: Decode(%v) = %q, want %q", file, c.IDs, got, c.Text)
			}
		}
		if got := tok.Encode(string(long)); !cmp.Equal(got, golden.LongText) {
			t.Errorf("%s: Encode(long text) differs: %d ids, want %d", file, len(got), len(golden.LongText))
		}
	}
}

func TestTokenizerRoundTrip(t *testing.T) {
	t.Parallel()
	tok := loadGolden(t, "tokenizer.json")
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		if !utf8.ValidString(text) {
			t.Skip("not text")
		}
		if got := tok.Decode(tok.Encode(text)); got != text {
			t.Fatalf("Decode(Encode(%q)) = %q", text, got)
		}
	})
}

func TestAddedTokensAreFoundLeftmostLongest(t *testing.T) {
	t.Parallel()
	tok := loadGolden(t, "tokenizer.json")
	tok.added = []addedToken{{ID: 3000, Content: "<end>"}, {ID: 3001, Content: "<en"}, {ID: 3002, Content: "zz"}}
	got := tok.Encode("<end><enzz<end")
	want := append([]int32{3000, 3001, 3002, 3001}, tok.Encode("d")...)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Encode (-want +got):\n%s", diff)
	}
}

// Any list of merges, not only one that a trainer would learn: the heap must agree with the plain scan.
func TestLongPiecesMergeAsShortOnes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tok := &Tokenizer{merges: map[pair]merge{}}
		id := rapid.Int32Range(0, 9)
		for rank := range rapid.Int32Range(0, 30).Draw(t, "merges") {
			tok.merges[pair{id.Draw(t, "left"), id.Draw(t, "right")}] = merge{rank: rank, id: id.Draw(t, "merged")}
		}
		short := rapid.SliceOfN(id, 0, 100).Draw(t, "ids")
		long := slices.Clone(short)
		short, long = short[:tok.mergeShort(short)], long[:tok.mergeLong(long)]
		if !slices.Equal(short, long) {
			t.Fatalf("mergeLong = %v, mergeShort = %v", long, short)
		}
	})
}

func TestAMegabyteWithoutSpacesTakesNoTime(t *testing.T) {
	t.Parallel()
	tok := loadGolden(t, "tokenizer.json")
	text := strings.Repeat("gattacacatgacgt", 70_000)
	if ids := tok.Encode(text); tok.Decode(ids) != text {
		t.Error("the text does not come back")
	}
}

func TestEOS(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile("testdata/gpt2/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name, tokenizerConfig, config string
		want                          int32
		ok                            bool
	}{
		{name: "by name", tokenizerConfig: `{"eos_token": "<|endoftext|>"}`, want: 2000, ok: true},
		{name: "by object", tokenizerConfig: `{"eos_token": {"content": "<|endoftext|>"}}`, want: 2000, ok: true},
		{name: "by the model's config", tokenizerConfig: `{"model_max_length": 1024}`, config: `{"eos_token_id": 2000}`, want: 2000, ok: true},
		{name: "by a list", config: `{"eos_token_id": [7, 8]}`, want: 7, ok: true},
		{name: "beyond the vocabulary", config: `{"eos_token_id": 50256}`, want: -1},
		{name: "null", tokenizerConfig: `{"eos_token": null}`, config: `{"eos_token_id": null}`, want: -1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			files := fstest.MapFS{"tokenizer.json": {Data: body}}
			if c.tokenizerConfig != "" {
				files["tokenizer_config.json"] = &fstest.MapFile{Data: []byte(c.tokenizerConfig)}
			}
			if c.config != "" {
				files["config.json"] = &fstest.MapFile{Data: []byte(c.config)}
			}
			tok, err := LoadTokenizer(files)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := tok.EOS(); got != c.want || ok != c.ok {
				t.Errorf("EOS() = %d, %v, want %d, %v", got, ok, c.want, c.ok)
			}
		})
	}
}

func TestLoadTokenizerRefusesWhatItWouldGetWrong(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		"not json":      `{`,
		"wordpiece":     `{"model": {"type": "WordPiece"}}`,
		"split":         `{"pre_tokenizer": {"type": "Sequence"}, "model": {"type": "BPE"}}`,
		"normalizer":    `{"normalizer": {"type": "NFC"}, "pre_tokenizer": {"type": "ByteLevel"}, "model": {"type": "BPE"}}`,
		"byte missing":  `{"pre_tokenizer": {"type": "ByteLevel"}, "model": {"type": "BPE", "vocab": {"a": 0}}}`,
		"absurd id":     `{"pre_tokenizer": {"type": "ByteLevel"}, "model": {"type": "BPE", "vocab": {"a": 2147483647}}}`,
		"negative id":   `{"added_tokens": [{"id": -1, "content": "x"}], "pre_tokenizer": {"type": "ByteLevel"}, "model": {"type": "BPE"}}`,
		"broken merges": `{"pre_tokenizer": {"type": "ByteLevel"}, "model": {"type": "BPE", "merges": ["a b c"]}}`,
	}
	for name, body := range cases {
		if _, err := LoadTokenizer(fstest.MapFS{"tokenizer.json": {Data: []byte(body)}}); !errors.Is(err, sweep.ErrInput) {
			t.Errorf("%s: LoadTokenizer = %v, want an input error", name, err)
		}
	}
	if _, err := LoadTokenizer(fstest.MapFS{}); !errors.Is(err, sweep.ErrInput) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a file: LoadTokenizer = %v, want an input error that says it does not exist", err)
	}
}

// loadGolden loads testdata/gpt2 with the named file as its tokenizer.json.
func loadGolden(t *testing.T, name string) *Tokenizer {
	t.Helper()
	files := fstest.MapFS{}
	for to, from := range map[string]string{"tokenizer.json": name, "tokenizer_config.json": "tokenizer_config.json"} {
		body, err := os.ReadFile("testdata/gpt2/" + from)
		if err != nil {
			t.Fatal(err)
		}
		files[to] = &fstest.MapFile{Data: body}
	}
	tok, err := LoadTokenizer(files)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}
