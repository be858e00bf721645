package tokenizer

import (
	"encoding/json"
	"fmt"
	"io/fs"

	"github.com/ranksweep/ranksweep/trainer/weights"
)

// findSpecial finds the begin and end-of-text tokens: by the names in tokenizer_config.json, else by the ids in
// config.json (openai-community/gpt2 has only those).
func (t *Tokenizer) findSpecial(files fs.FS) error {
	names, err := ReadConfig(files)
	if err != nil {
		return err
	}
	var config struct {
		BOS tokenID `json:"bos_token_id"`
		EOS tokenID `json:"eos_token_id"`
	}
	if err := readJSON(files, weights.ConfigFile, &config); err != nil {
		return err
	}
	if t.bos, err = t.special("bos_token", names.BOS, config.BOS); err != nil {
		return err
	}
	t.eos, err = t.special("eos_token", names.EOS, config.EOS)
	return err
}

// special resolves one of them; -1 where the model has none. A begin-of-text token that is named but unknown only matters to
// templates that write it, so it is none.
func (t *Tokenizer) special(what string, name tokenName, fallback tokenID) (int32, error) {
	if name != "" {
		id, ok := t.vocab[string(name)]
		if !ok && what == "eos_token" {
			return -1, fmt.Errorf("%s: %s %q is not in tokenizer.json", ConfigFile, what, name)
		}
		if !ok {
			return -1, nil
		}
		return id, nil
	}
	if _, ok := t.Token(fallback.id); fallback.set && ok {
		return fallback.id, nil
	}
	return -1, nil
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
