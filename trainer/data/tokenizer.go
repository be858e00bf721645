package data

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"

	"github.com/ranksweep/ranksweep/sweep"
)

// Tokenizer is a byte-level BPE tokenizer with GPT-2's splitting rule. It may be used by several goroutines.
//
// It is written here because go-huggingface v0.4.3 splits byte-level text at spaces only, not by GPT-2's rule, so its ids
// differ from the ones the models were trained on. The golden tests compare with Hugging Face's own library.
type Tokenizer struct {
	tokens      [][]byte // by id: the bytes a token stands for; nil for ids that are not used
	bytes       [256]int32
	merges      map[pair]merge
	added       []addedToken // longest first
	eos         int32        // -1 when there is none
	fingerprint string
}

type pair struct{ left, right int32 }

type merge struct{ rank, id int32 }

type addedToken struct {
	ID      int32  `json:"id"`
	Content string `json:"content"`
	LStrip  bool   `json:"lstrip"`
	RStrip  bool   `json:"rstrip"`
	Single  bool   `json:"single_word"`
	Special bool   `json:"special"`
}

// LoadTokenizer reads tokenizer.json, and what names the end-of-text token: tokenizer_config.json, else config.json.
// A missing or unsupported tokenizer is an error that wraps sweep.ErrInput (and fs.ErrNotExist where it is missing).
func LoadTokenizer(files fs.FS) (*Tokenizer, error) {
	body, err := fs.ReadFile(files, "tokenizer.json")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: the model has no tokenizer.json, which text needs (pre-tokenised jsonl does not): %w", sweep.ErrInput, err)
	}
	if err != nil {
		return nil, fmt.Errorf("read tokenizer: %w", err)
	}
	var file tokenizerFile
	if err := json.Unmarshal(body, &file); err != nil {
		return nil, fmt.Errorf("%w: tokenizer.json: %w", sweep.ErrInput, err)
	}
	t, err := newTokenizer(file)
	if err != nil {
		return nil, fmt.Errorf("%w: tokenizer.json: %w", sweep.ErrInput, err)
	}
	if t.eos, err = findEOS(files, t); err != nil {
		return nil, fmt.Errorf("%w: %w", sweep.ErrInput, err)
	}
	sum := sha256.Sum256(fmt.Appendf(body, "\neos %d", t.eos))
	t.fingerprint = hex.EncodeToString(sum[:])
	return t, nil
}

// newTokenizer checks that file describes what this package implements, to the id, and builds the tables.
func newTokenizer(file tokenizerFile) (*Tokenizer, error) {
	if err := file.supported(); err != nil {
		return nil, err
	}
	t := &Tokenizer{tokens: make([][]byte, file.size()), merges: make(map[pair]merge, len(file.Model.Merges)), eos: -1}
	spelt := make(map[rune]byte, 256)
	for b, symbol := range byteSymbols() {
		spelt[symbol] = byte(b)
	}
	for token, id := range file.Model.Vocab {
		t.tokens[id] = tokenBytes(token, spelt)
	}
	for b, symbol := range byteSymbols() {
		id, ok := file.Model.Vocab[string(symbol)]
		if !ok {
			return nil, fmt.Errorf("the vocabulary has no token for byte 0x%02X", b)
		}
		t.bytes[b] = id
	}
	for rank, m := range file.Model.Merges {
		left, okLeft := file.Model.Vocab[m[0]]
		right, okRight := file.Model.Vocab[m[1]]
		id, ok := file.Model.Vocab[m[0]+m[1]]
		if !okLeft || !okRight || !ok {
			return nil, fmt.Errorf("merge %d (%q with %q) names a token that is not in the vocabulary", rank, m[0], m[1])
		}
		if _, seen := t.merges[pair{left, right}]; !seen {
			t.merges[pair{left, right}] = merge{rank: int32(rank), id: id}
		}
	}
	for _, a := range file.AddedTokens {
		t.tokens[a.ID] = []byte(a.Content)
	}
	t.added = slices.Clone(file.AddedTokens)
	slices.SortStableFunc(t.added, func(a, b addedToken) int { return len(b.Content) - len(a.Content) })
	return t, nil
}

// Size returns one more than the largest id.
func (t *Tokenizer) Size() int { return len(t.tokens) }

// EOS returns the end-of-text token's id, and whether the model has one.
func (t *Tokenizer) EOS() (int32, bool) { return t.eos, t.eos >= 0 }

// Fingerprint identifies what Encode and EOS answer: a SHA-256 in hexadecimal.
func (t *Tokenizer) Fingerprint() string { return t.fingerprint }

// Encode returns the ids of s. It adds no special tokens; those that stand in s are recognised, as Hugging Face does.
func (t *Tokenizer) Encode(s string) []int32 {
	ids := make([]int32, 0, len(s)/3)
	next := make([]int, len(t.added)) // where each added token stands next; len(s) for nowhere
	for at := 0; ; {
		found, token := t.nextAdded(s, at, next)
		ids = t.appendText(ids, s[at:found])
		if token == nil {
			return ids
		}
		ids = append(ids, token.ID)
		at = found + len(token.Content)
	}
}

// nextAdded returns where the first added token stands in s from at on: the leftmost, and of those the longest. Without
// one it returns len(s) and nil. It updates next, so that no part of s is searched twice for one token.
func (t *Tokenizer) nextAdded(s string, at int, next []int) (int, *addedToken) {
	first, token := len(s), (*addedToken)(nil)
	for i := range t.added {
		if next[i] < at || at == 0 {
			next[i] = len(s)
			if found := strings.Index(s[at:], t.added[i].Content); found >= 0 {
				next[i] = at + found
			}
		}
		if next[i] < first {
			first, token = next[i], &t.added[i]
		}
	}
	return first, token
}

func (t *Tokenizer) appendText(ids []int32, s string) []int32 {
	for s != "" {
		n := nextPiece(s)
		start := len(ids)
		for i := range n {
			ids = append(ids, t.bytes[s[i]])
		}
		ids = ids[:start+t.mergeAll(ids[start:])]
		s = s[n:]
	}
	return ids
}

// Decode returns the text of ids, special tokens included. Ids that are not in the vocabulary, and bytes that are not
// UTF-8, become U+FFFD (one for each maximal subpart, as Rust's from_utf8_lossy has it).
func (t *Tokenizer) Decode(ids []int32) string {
	var b []byte
	for _, id := range ids {
		if id < 0 || int(id) >= len(t.tokens) || t.tokens[id] == nil {
			b = utf8.AppendRune(b, utf8.RuneError)
			continue
		}
		b = append(b, t.tokens[id]...)
	}
	if utf8.Valid(b) {
		return string(b)
	}
	text, err := unicode.UTF8.NewDecoder().Bytes(b)
	if err != nil {
		panic(fmt.Sprintf("a decoder that replaces what is not UTF-8 failed: %v", err))
	}
	return string(text)
}

// byteSymbols returns the printable character that spells each byte in a byte-level vocabulary (GPT-2's bytes_to_unicode).
func byteSymbols() [256]rune {
	var symbols [256]rune
	next := rune(256)
	for b := range symbols {
		if '!' <= b && b <= '~' || '¡' <= b && b <= '¬' || '®' <= b && b <= 'ÿ' {
			symbols[b] = rune(b)
			continue
		}
		symbols[b] = next
		next++
	}
	return symbols
}

// tokenBytes returns the bytes that a token of the vocabulary spells; a token with any other character stands for itself.
func tokenBytes(token string, spelt map[rune]byte) []byte {
	out := make([]byte, 0, len(token))
	for _, r := range token {
		b, ok := spelt[r]
		if !ok {
			return []byte(token)
		}
		out = append(out, b)
	}
	return out
}
