package tokenizer

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/trainer/weights"
)

// ggufMetadata is what a GGUF file says about its tokenizer: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, section
// Tokenizer.
type ggufMetadata map[string]any

const (
	ggufTokens       = "tokenizer.ggml.tokens"
	ggufChatTemplate = "tokenizer.chat_template"
)

// readGGUF returns the metadata of the folder's GGUF file; an error that wraps fs.ErrNotExist where the model is none.
func readGGUF(files fs.FS) (ggufMetadata, error) {
	name, err := weights.GGUFName(files)
	if err != nil {
		return nil, err
	}
	if name == "" {
		return nil, fmt.Errorf("no GGUF file: %w", fs.ErrNotExist)
	}
	return weights.GGUFMetadata(files, name)
}

// ggufList returns a list, nil where there is none, or an error where it is something else.
func ggufList[T any](m ggufMetadata, key string) ([]T, error) {
	switch list := m[key].(type) {
	case nil:
		return nil, nil
	case []T:
		return list, nil
	default:
		return nil, fmt.Errorf("%s is a %T", key, list)
	}
}

func (m ggufMetadata) text(key string) string {
	s, _ := m[key].(string)
	return s
}

func (m ggufMetadata) flag(key string, standard bool) bool {
	if b, ok := m[key].(bool); ok {
		return b
	}
	return standard
}

// id returns a token's id, or -1 where there is none or it is beyond the vocabulary.
func (m ggufMetadata) id(key string, size int) int32 {
	id := int64(-1)
	switch v := m[key].(type) {
	case uint32:
		id = int64(v)
	case int32:
		id = int64(v)
	case uint64:
		id = int64(min(v, math.MaxInt64))
	case int64:
		id = v
	}
	if id < 0 || id >= int64(size) {
		return -1
	}
	return int32(id)
}

// namedTokens are the special tokens that a chat template can use.
func (m ggufMetadata) namedTokens() (map[string]string, error) {
	tokens, err := ggufList[string](m, ggufTokens)
	if err != nil {
		return nil, err
	}
	named := map[string]string{}
	for name, key := range map[string]string{"bos_token": "bos", "eos_token": "eos", "unk_token": "unknown", "pad_token": "padding"} {
		if id := m.id("tokenizer.ggml."+key+"_token_id", len(tokens)); id >= 0 {
			named[name] = tokens[id]
		}
	}
	return named, nil
}

// fingerprint identifies all that is said about the tokenizer but the chat template.
func (m ggufMetadata) fingerprint() string {
	h := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if !strings.HasPrefix(key, "tokenizer.") || strings.HasPrefix(key, ggufChatTemplate) {
			continue
		}
		if list, ok := m[key].([]string); ok {
			fmt.Fprintf(h, "%q=%q\n", key, list)
			continue
		}
		fmt.Fprintf(h, "%q=%v\n", key, m[key])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// newGGUFTokenizer builds the tokenizer of a GGUF file; an error that wraps fs.ErrNotExist where the file has none.
func newGGUFTokenizer(m ggufMetadata) (*Tokenizer, error) {
	tokens, err := ggufList[string](m, ggufTokens)
	if err != nil {
		return nil, err
	}
	if len(tokens) == 0 {
		return nil, fmt.Errorf("%s is missing, which text needs (pre-tokenised jsonl does not): %w", ggufTokens, fs.ErrNotExist)
	}
	if len(tokens) > maxTokens {
		return nil, fmt.Errorf("%s has %d tokens, more than %d", ggufTokens, len(tokens), maxTokens)
	}
	var t *Tokenizer
	switch kind := m.text("tokenizer.ggml.model"); kind {
	case "gpt2":
		t, err = m.byteLevel(tokens)
	case "llama":
		t, err = m.sentencePiece(tokens)
	default:
		return nil, fmt.Errorf("tokenizer.ggml.model %q is not supported: there are gpt2 (byte-level BPE) and llama (SentencePiece)", kind)
	}
	if err != nil {
		return nil, err
	}
	for id, text := range tokens { // of two tokens with one text the vocabulary knows the last
		if !t.tokens[id].known {
			t.tokens[id] = vocabEntry{text: text, known: true}
		}
	}
	t.bos = m.id("tokenizer.ggml.bos_token_id", len(tokens))
	t.eos = m.id("tokenizer.ggml.eos_token_id", len(tokens))
	t.fingerprint = m.fingerprint()
	return t, m.addSpecial(t)
}

// addSpecial sets what is put around every text. Where a file does not say it, Llama's tokenizers begin with BOS.
func (m ggufMetadata) addSpecial(t *Tokenizer) error {
	standard := m.text("tokenizer.ggml.model") == "llama" || ggufPres()[m.text("tokenizer.ggml.pre")].bos
	if m.flag("tokenizer.ggml.add_bos_token", standard) {
		if t.bos < 0 {
			return errors.New("tokenizer.ggml.add_bos_token is set, but there is no tokenizer.ggml.bos_token_id")
		}
		t.prefix = []int32{t.bos}
	}
	if m.flag("tokenizer.ggml.add_eos_token", false) {
		if t.eos < 0 {
			return errors.New("tokenizer.ggml.add_eos_token is set, but there is no tokenizer.ggml.eos_token_id")
		}
		t.suffix = []int32{t.eos}
	}
	return nil
}

// The types of tokenizer.ggml.token_type that this package needs.
const (
	ggufUnknown     = 2
	ggufControl     = 3
	ggufUserDefined = 4
	ggufByte        = 6
)

// added returns the tokens that are looked for in the text itself.
func (m ggufMetadata) added(tokens []string) ([]addedToken, []int32, error) {
	types, err := ggufList[int32](m, "tokenizer.ggml.token_type")
	if err != nil {
		return nil, nil, err
	}
	if types == nil {
		types = make([]int32, len(tokens))
	}
	if len(types) != len(tokens) {
		return nil, nil, fmt.Errorf("tokenizer.ggml.token_type has %d entries for %d tokens", len(types), len(tokens))
	}
	var added []addedToken
	for id, kind := range types {
		if (kind == ggufUnknown || kind == ggufControl || kind == ggufUserDefined) && tokens[id] != "" {
			added = append(added, addedToken{ID: int32(id), Content: tokens[id], Special: kind != ggufUserDefined})
		}
	}
	return added, types, nil
}

func vocabulary(tokens []string) map[string]int32 {
	vocab := make(map[string]int32, len(tokens))
	for id, text := range tokens {
		vocab[text] = int32(id)
	}
	return vocab
}
