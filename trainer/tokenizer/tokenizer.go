package tokenizer

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// Tokenizer is a BPE tokenizer, byte-level or with byte fallback, or a Unigram tokenizer. It may be used by several goroutines.
//
// It is written here because go-huggingface v0.4.3 gives other ids than the ones the models were trained on: it splits
// byte-level text at spaces only and at most patterns not at all, knows neither Digits, byte fallback, ignore_merges nor
// special tokens within a text, and decodes incomplete characters otherwise. The golden tests compare with Hugging
// Face's own library.
type Tokenizer struct {
	tokens    []vocabEntry // by id
	vocab     map[string]int32
	added     *addedTokens
	normalize normalizer   // nil where there is none
	normAdded *addedTokens // those that are looked for after normalizing; nil where they are the same
	pre       preTokenizer
	model     pieceModel
	decode    decoder

	prefix, suffix []int32 // what the post-processor adds
	bos, eos       int32   // -1 where there is none
	fingerprint    string
}

// pieceModel turns pieces of text into ids, and appends them.
type pieceModel interface {
	encode(ids []int32, piece string) []int32
}

// vocabEntry is one entry of the vocabulary. known is false for ids that are not used.
type vocabEntry struct {
	text           string // as it is spelled
	known, special bool
}

type pair struct{ left, right int32 }

type merge struct{ rank, id int32 }

// Load reads tokenizer.json, and what names the special tokens: tokenizer_config.json and its older neighbours, else config.json. In its
// place there may be vocab.json and merges.txt. A model that is one GGUF file has its tokenizer in there. A missing or unsupported
// tokenizer is an error that wraps trial.ErrInput (and fs.ErrNotExist where it is missing).
func Load(files fs.FS) (*Tokenizer, error) {
	body, err := weights.ReadText(files, File)
	if errors.Is(err, fs.ErrNotExist) {
		if vocabAndMerges(files) {
			return loadVocabMerges(files)
		}
		return loadGGUFTokenizer(files, err)
	}
	if err != nil {
		return nil, fmt.Errorf("read tokenizer: %w", err)
	}
	names, err := ReadConfig(files)
	if err != nil {
		return nil, asInput(err)
	}
	t, added, err := parse(body, names)
	if err != nil {
		return nil, fmt.Errorf("%w: tokenizer.json: %w", trial.ErrInput, err)
	}
	if err := t.findSpecial(files, names); err != nil {
		return nil, asInput(err)
	}
	sum := sha256.Sum256(fmt.Appendf(body, "%s\neos %d", added, t.eos))
	t.fingerprint = hex.EncodeToString(sum[:])
	return t, nil
}

// asInput marks an error about a file as the person's to fix.
func asInput(err error) error {
	if errors.Is(err, trial.ErrInput) {
		return err
	}
	return fmt.Errorf("%w: %w", trial.ErrInput, err)
}

// loadGGUFTokenizer reads the tokenizer of a model that is a GGUF file; missing is the error where it is none.
func loadGGUFTokenizer(files fs.FS, missing error) (*Tokenizer, error) {
	metadata, err := readGGUF(files)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, withoutTokenizer(files, missing)
	}
	if err != nil {
		return nil, asInput(err)
	}
	t, err := newGGUFTokenizer(metadata)
	if err != nil {
		return nil, fmt.Errorf("%w: tokenizer of the GGUF file: %w", trial.ErrInput, err)
	}
	return t, nil
}

// EOS returns the end-of-text token's id, and whether the model has one.
func (t *Tokenizer) EOS() (int32, bool) { return t.eos, t.eos >= 0 }

// Token returns a token as the vocabulary spells it (Ġworld, <0x0A>), and whether there is one with this id.
func (t *Tokenizer) Token(id int32) (string, bool) {
	if id < 0 || int(id) >= len(t.tokens) {
		return "", false
	}
	return t.tokens[id].text, t.tokens[id].known
}

// Special reports whether an id is a special token: one that is no text.
func (t *Tokenizer) Special(id int32) bool {
	return id >= 0 && int(id) < len(t.tokens) && t.tokens[id].special
}

// Fingerprint identifies what Encode, EncodeSpecial and EOS answer: a SHA-256 in hexadecimal.
func (t *Tokenizer) Fingerprint() string { return t.fingerprint }

// EncodeSpecial returns the ids of s with what the model's tokenizer adds to every text, as a begin-of-text token.
func (t *Tokenizer) EncodeSpecial(s string) []int32 {
	return slices.Concat(t.prefix, t.Encode(s), t.suffix)
}

// EncodeBeginning is EncodeSpecial of a text that goes on: without what is added at the end.
func (t *Tokenizer) EncodeBeginning(s string) []int32 { return slices.Concat(t.prefix, t.Encode(s)) }

// Encode returns the ids of s. It adds no special tokens; those that occur in s are recognised, as Hugging Face does.
func (t *Tokenizer) Encode(s string) []int32 {
	ids := make([]int32, 0, len(s)/3)
	emit := func(piece string, _ bool) { ids = t.model.encode(ids, piece) }
	t.eachText(s, t.added, func(id int32) { ids = append(ids, id) }, func(text string, first bool) {
		if t.normalize != nil {
			text = t.normalize(text)
		}
		if text == "" { // a pre-tokenizer that begins texts with a mark would make something of it
			return
		}
		if t.normAdded == nil {
			t.pre.split(text, first, emit)
			return
		}
		t.eachText(text, t.normAdded, func(id int32) { ids = append(ids, id) }, func(text string, begins bool) {
			t.pre.split(text, first && begins, emit)
		})
	})
	return ids
}

// eachText finds the added tokens of s and calls found for them and between for the texts before, between and after
// them, in order. first says that a text begins s.
func (t *Tokenizer) eachText(s string, added *addedTokens, found func(int32), between func(text string, first bool)) {
	for at := 0; at < len(s); {
		token, from, to := added.find(s, at)
		if from > at {
			between(s[at:from], at == 0)
		}
		if token == nil {
			return
		}
		found(token.ID)
		at = to
	}
}

// Decode returns the text of ids, special tokens included. Ids that are not in the vocabulary, and bytes that are not
// UTF-8, become U+FFFD.
func (t *Tokenizer) Decode(ids []int32) string { return t.decodeTokens(ids, false) }

func (t *Tokenizer) decodeTokens(ids []int32, skipSpecial bool) string {
	list := make([]string, 0, len(ids))
	for _, id := range ids {
		switch text, ok := t.Token(id); {
		case !ok:
			list = append(list, "\uFFFD")
		case !skipSpecial || !t.tokens[id].special:
			list = append(list, text)
		}
	}
	return strings.Join(t.decode(list), "")
}
