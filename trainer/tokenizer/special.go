package tokenizer

import (
	"encoding/json"
	"fmt"
	"io/fs"

	"github.com/ranksweep/ranksweep/trainer/weights"
)

// findSpecial finds the begin and end-of-text tokens: by the names in tokenizer_config.json or special_tokens_map.json, else by the ids
// in config.json (openai-community/gpt2 has only those). What generation_config.json says, which may list more tokens that end an
// answer, is not for texts.
func (t *Tokenizer) findSpecial(files fs.FS, names Config) error {
	var config struct {
		BOS tokenID `json:"bos_token_id"`
		EOS tokenID `json:"eos_token_id"`
	}
	if err := readJSON(files, weights.ConfigFile, &config); err != nil {
		return err
	}
	tokens := names.SpecialTokens()
	t.bos = t.special(tokens["bos_token"], config.BOS)
	t.eos = t.special(tokens["eos_token"], config.EOS)
	return nil
}

// special resolves one of them; -1 where the model has none.
func (t *Tokenizer) special(name string, fallback tokenID) int32 {
	if id, ok := t.vocab[name]; ok && name != "" {
		return id
	}
	if _, ok := t.Token(fallback.id); fallback.set && ok {
		return fallback.id
	}
	return -1
}

// tokenID is a token id, given as a number or as a list whose first counts.
type tokenID struct {
	id  int32
	set bool
}

// UnmarshalJSON reads both spellings and null.
func (e *tokenID) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	var ids []int32
	if len(b) > 0 && b[0] != '[' {
		b = fmt.Appendf(nil, "[%s]", b)
	}
	if err := json.Unmarshal(b, &ids); err != nil {
		return err
	}
	if len(ids) > 0 {
		e.id, e.set = ids[0], true
	}
	return nil
}
