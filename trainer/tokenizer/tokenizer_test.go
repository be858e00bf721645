package tokenizer

import (
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// families are the folders of testdata with a tokenizer.json and a tests.json.gz.
func families() []string { return []string{"gpt2", "llama2", "llama3", "qwen2", "smollm2"} }

// goldenTokens is a tests.json.gz: ids and texts of Hugging Face's tokenizers library, version in the file.
type goldenTokens struct {
	Tests []struct {
		Text    string   `json:"text"`
		IDs     []int32  `json:"ids"`
		Special []int32  `json:"ids_with_special"` // where it differs
		Tokens  []string `json:"tokens"`
		Pieces  []string `json:"pre_tokens"` // of the whole text, not looking for added tokens
		Decoded string   `json:"decoded"`
		Skipped *string  `json:"decoded_skip_special"` // where it differs
	} `json:"tests"`
	DecodeTests []struct {
		IDs     []int32 `json:"ids"`
		Text    string  `json:"text"`
		Skipped *string `json:"text_skip_special"`
	} `json:"decode_tests"`
	LongText struct {
		IDs []int32 `json:"ids"`
	} `json:"long_text"`
}

func TestTokenizersAgreeWithHuggingFace(t *testing.T) {
	t.Parallel()
	long, err := os.ReadFile("testdata/gpt2/long_text.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families() {
		body, err := os.ReadFile("testdata/" + family + "/tokenizer.json")
		if err != nil {
			t.Fatal(err)
		}
		golden := readGoldenTokens(t, family)
		for name, tok := range map[string]*Tokenizer{family: loadBytes(t, body), family +
			", merges as strings": loadBytes(t, oldMerges(t, body))} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				checkGolden(t, tok, golden, string(long))
			})
		}
	}
}

func checkGolden(t *testing.T, tok *Tokenizer, golden goldenTokens, long string) {
	t.Helper()
	orElse := func(s *string, standard string) string {
		if s == nil {
			return standard
		}
		return *s
	}
	for _, c := range golden.Tests {
		got := tok.Encode(c.Text)
		if !slices.Equal(got, c.IDs) {
			t.Errorf("Encode(%q) = %v, want %v", c.Text, got, c.IDs)
		}
		if c.Special == nil {
			c.Special = c.IDs
		}
		if got := tok.EncodeSpecial(c.Text); !slices.Equal(got, c.Special) {
			t.Errorf("EncodeSpecial(%q) = %v, want %v", c.Text, got, c.Special)
		}
		if got := spelt(tok, c.IDs); c.Tokens != nil && !slices.Equal(got, c.Tokens) {
			t.Errorf("tokens of %v = %q, want %q", c.IDs, got, c.Tokens)
		}
		if got := spelledPieces(tok, c.Text); c.Pieces != nil && !slices.Equal(got, c.Pieces) {
			t.Errorf("pieces of %q = %q, want %q", c.Text, got, c.Pieces)
		}
		if got := tok.Decode(c.IDs); got != c.Decoded {
			t.Errorf("Decode(%v) = %q, want %q", c.IDs, got, c.Decoded)
		}
		if got, want := tok.DecodeSkipSpecial(c.IDs), orElse(c.Skipped, c.Decoded); got != want {
			t.Errorf("DecodeSkipSpecial(%v) = %q, want %q", c.IDs, got, want)
		}
	}
	for _, c := range golden.DecodeTests {
		if got := tok.Decode(c.IDs); got != c.Text {
			t.Errorf("Decode(%v) = %q, want %q", c.IDs, got, c.Text)
		}
		if got, want := tok.DecodeSkipSpecial(c.IDs), orElse(c.Skipped, c.Text); got != want {
			t.Errorf("DecodeSkipSpecial(%v) = %q, want %q", c.IDs, got, want)
		}
	}
	if got := tok.Encode(long); !slices.Equal(got, golden.LongText.IDs) {
		t.Errorf("Encode(long text) differs: %d ids, want %d", len(got), len(golden.LongText.IDs))
	}
}

func spelt(tok *Tokenizer, ids []int32) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i], _ = tok.Token(id)
	}
	return out
}

// spelledPieces normalizes and cuts s and spells the pieces as the vocabulary does.
func spelledPieces(tok *Tokenizer, s string) []string {
	symbols := byteSymbols()
	out := []string{}
	if tok.normalize != nil {
		s = tok.normalize(s)
	}
	tok.pre.split(s, true, func(piece string, _ bool) {
		var b strings.Builder
		for _, c := range []byte(piece) {
			b.WriteRune(symbols[c])
		}
		out = append(out, b.String())
	})
	return out
}

// oldMerges writes the merges of a tokenizer.json as "a b", as most files on the hub have them.
func oldMerges(t *testing.T, body []byte) []byte {
	t.Helper()
	var file, model map[string]json.RawMessage
	var merges [][2]string
	if err := json.Unmarshal(body, &file); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(json.Unmarshal(file["model"], &model), json.Unmarshal(model["merges"], &merges)); err != nil {
		t.Fatal(err)
	}
	lines := make([]string, len(merges))
	for i, m := range merges {
		lines[i] = m[0] + " " + m[1]
	}
	for _, step := range []struct {
		into map[string]json.RawMessage
		name string
		from any
	}{{model, "merges", lines}, {file, "model", model}} {
		var err error
		if step.into[step.name], err = json.Marshal(step.from); err != nil {
			t.Fatal(err)
		}
	}
	out, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func readGoldenTokens(t *testing.T, family string) goldenTokens {
	t.Helper()
	f, err := os.Open("testdata/" + family + "/tests.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // only read
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var golden goldenTokens
	if err := json.NewDecoder(unzipped).Decode(&golden); err != nil {
		t.Fatal(err)
	}
	if len(golden.Tests) != 208 || len(golden.LongText.IDs) == 0 {
		t.Fatalf("%s: %d tests and %d ids of the long text: the file is not whole", family, len(golden.Tests), len(golden.LongText.IDs))
	}
	return golden
}

func TestTokenizerRoundTrip(t *testing.T) {
	t.Parallel()
	tok := loadFamily(t, "gpt2")
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
	tok := loadFamily(t, "gpt2")
	tok.added = newAddedTokens([]addedToken{{ID: 3000, Content: "<end>"}, {ID: 3001, Content: "<en"}, {ID: 3002, Content: "zz"}})
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
		model := &bpeModel{merges: map[pair]merge{}}
		id := rapid.Int32Range(0, 9)
		for rank := range rapid.Int32Range(0, 30).Draw(t, "merges") {
			model.merges[pair{id.Draw(t, "left"), id.Draw(t, "right")}] = merge{rank: rank, id: id.Draw(t, "merged")}
		}
		short := rapid.SliceOfN(id, 0, 100).Draw(t, "ids")
		long := slices.Clone(short)
		short, long = short[:model.mergeShort(short)], long[:model.mergeLong(long)]
		if !slices.Equal(short, long) {
			t.Fatalf("mergeLong = %v, mergeShort = %v", long, short)
		}
	})
}

func TestAMegabyteWithoutSpacesTakesNoTime(t *testing.T) {
	t.Parallel()
	units := map[string][]string{
		"gpt2": {"gattacacatgacgt"}, "llama2": {"gattacacatgacgt", "'", "<s", "\u00e9"}, "llama3": {" ", "7"},
		"qwen2": {"\n", "a\u0301"}, "smollm2": {"7", "<|"},
	}
	for family, list := range units {
		tok := loadFamily(t, family)
		for _, unit := range list {
			text := strings.Repeat(unit, 1_000_000/len(unit))
			ids := tok.Encode(text)
			if family == "qwen2" {
				text = norm.NFC.String(text)
			}
			if got := tok.Decode(ids); got != text {
				t.Errorf("%s: a megabyte of %q does not come back", family, unit)
			}
		}
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
			tok, err := Load(files)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := tok.EOS(); got != c.want || ok != c.ok {
				t.Errorf("EOS() = %d, %v, want %d, %v", got, ok, c.want, c.ok)
			}
		})
	}
}

func TestBOS(t *testing.T) {
	t.Parallel()
	if id, ok := loadFamily(t, "gpt2").BOS(); id != 2000 || !ok {
		t.Errorf("gpt2: BOS() = %d, %v, want 2000", id, ok)
	}
	if id, ok := loadFamily(t, "llama3").BOS(); ok {
		t.Errorf("without a config: BOS() = %d, want none", id)
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	tok := loadFamily(t, "llama2")
	if got, ok := tok.Token(13); got != "<0x0A>" || !ok {
		t.Errorf("Token(13) = %q, %v", got, ok)
	}
	for _, id := range []int32{-1, 2000, 1 << 30} {
		if got, ok := tok.Token(id); ok {
			t.Errorf("Token(%d) = %q, want none", id, got)
		}
		if got := tok.Decode([]int32{id}); got != "\uFFFD" {
			t.Errorf("Decode(%d) = %q, want U+FFFD", id, got)
		}
	}
}

func TestLoadRefusesWhatItWouldGetWrong(t *testing.T) {
	t.Parallel()
	const rest = `"decoder": {"type": "Fuse"}, "model": {"type": "BPE", "vocab": {"a": 0}}}`
	cases := map[string][2]string{ // the file, and what the error names
		"not json":  {`{`, "unexpected end"},
		"no model":  {`{"decoder": {"type": "Fuse"}}`, "no model"},
		"wordpiece": {`{"model": {"type": "WordPiece", "vocab": {}}}`, "WordPiece"},
		"unigram without unk": {
			`{"decoder": {"type": "Fuse"}, "model": {"type": "Unigram", "vocab": [["a", -1]]}}`,
			"Unigram model whose unk_id",
		},
		"unigram's unk": {
			`{"decoder": {"type": "Fuse"}, "model": {"type": "Unigram", "unk_id": 1, "vocab": [["a", -1]]}}`,
			"Unigram model whose unk_id",
		},
		"unigram of bytes": {
			`{"pre_tokenizer": {"type": "ByteLevel"}, "decoder": {"type": "Fuse"}, "model": {"type": "Unigram", "unk_id": 0, "vocab": [["a", -1]]}}`,
			"after the pre-tokenizer ByteLevel",
		},
		"normalizer":  {`{"normalizer": {"type": "BertNormalizer"}, ` + rest, "BertNormalizer"},
		"no charsmap": {`{"normalizer": {"type": "Precompiled"}, ` + rest, "a precompiled_charsmap is empty"},
		"half charsmap": {
			`{"normalizer": {"type": "Precompiled", "precompiled_charsmap": "CAAAAAAAAAA="}, ` + rest,
			"of 4 bytes claims a table of 8",
		},
		"long charsmap": {
			`{"normalizer": {"type": "Precompiled", "precompiled_charsmap": "` +
				base64.StdEncoding.EncodeToString([]byte("\x04\x00\x00\x00\x00\x00\x00\x00"+strings.Repeat("x", 2000))) + `"}, ` + rest,
			"times longer",
		},
		"inner normalizer": {`{"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Nmt"}]}, ` + rest, "Nmt"},
		"replace nothing":  {`{"normalizer": {"type": "Replace", "pattern": {"String": ""}, "content": "x"}, ` + rest, "empty"},
		"doubling": {`{"normalizer": {"type": "Sequence", "normalizers": [` +
			strings.Repeat(`{"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}, `, 60) +
			`{"type": "NFC"}]}, ` + rest, "times longer"},
		"a long decoder": {`{"decoder": {"type": "Replace", "pattern": {"Regex": "a"}, "content": "` + strings.Repeat("b", 2000) +
			`"}, "model": {"type": "BPE"}}`, "times longer"},
		"pre-tokenizer": {`{"pre_tokenizer": {"type": "UnicodeScripts"}, ` + rest, "UnicodeScripts"},
		"after byte level": {`{"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}, {"type": "Digits"}]}, ` +
			rest, "after ByteLevel"},
		"split behavior": {`{"pre_tokenizer": {"type": "Split", "pattern": {"String": "x"}, "behavior": "Odd"}, ` + rest, "Odd"},
		"split pattern": {
			`{"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated"}, ` + rest,
			"regular expression",
		},
		"slow pattern": {
			`{"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(a|aa)+$"}, "behavior": "Isolated"}, ` + rest,
			"too slow",
		},
		"metaspace":      {`{"pre_tokenizer": {"type": "Metaspace", "replacement": "_", "prepend_scheme": "last"}, ` + rest, "last"},
		"post-processor": {`{"post_processor": {"type": "Odd"}, ` + rest, "Odd"},
		"template": {`{"post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}}, ` +
			`{"Sequence": {"id": "A"}}]}, ` + rest, "<s>"},
		"template of two": {
			`{"post_processor": {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "B"}}]}, ` + rest,
			"TemplateProcessing",
		},
		"decoder":           {`{"decoder": {"type": "WordPiece"}, "model": {"type": "BPE"}}`, "WordPiece"},
		"no decoder":        {`{"model": {"type": "BPE"}}`, "decoder"},
		"dropout":           {`{"decoder": {"type": "Fuse"}, "model": {"type": "BPE", "dropout": 0.1}}`, "dropout"},
		"affix":             {`{"decoder": {"type": "Fuse"}, "model": {"type": "BPE", "end_of_word_suffix": "</w>"}}`, "end_of_word_suffix"},
		"unknown":           {`{"decoder": {"type": "Fuse"}, "model": {"type": "BPE", "unk_token": "<unk>"}}`, "<unk>"},
		"absurd id":         {`{"decoder": {"type": "Fuse"}, "model": {"type": "BPE", "vocab": {"a": 2147483647}}}`, "2147483647"},
		"negative id":       {`{"added_tokens": [{"id": -1, "content": "x"}], ` + rest, "-1"},
		"empty added token": {`{"added_tokens": [{"id": 1, "content": ""}], ` + rest, "added token 1 is empty"},
		"broken merges":     {`{"decoder": {"type": "Fuse"}, "model": {"type": "BPE", "merges": ["a b c"]}}`, "a b c"},
		"merge of strangers": {
			`{"decoder": {"type": "Fuse"}, "model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": ["a b"]}}`,
			"not in the vocabulary",
		},
	}
	for name, c := range cases {
		_, err := Load(fstest.MapFS{"tokenizer.json": {Data: []byte(c[0])}})
		if !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("%s: Load = %v, want an input error that names %s", name, err, c[1])
		}
	}
	if _, err := Load(fstest.MapFS{}); !errors.Is(err, trial.ErrInput) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a file: Load = %v, want an input error that says it does not exist", err)
	}
}

// loadFamily loads the tokenizer of a family, with its tokenizer_config.json where there is one.
func loadFamily(t testing.TB, family string) *Tokenizer {
	t.Helper()
	tok, err := Load(os.DirFS("testdata/" + family))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func readGolden(t testing.TB, name string, into any) {
	t.Helper()
	body, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		t.Fatal(err)
	}
}
