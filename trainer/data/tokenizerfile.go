package data

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// maxTokens bounds the ids of a tokenizer.json: beyond any vocabulary in use, small enough that a hostile file cannot ask
// for more memory than the machine has.
const maxTokens = 1 << 21

// tokenizerFile is the part of Hugging Face's tokenizer.json that decides about ids.
type tokenizerFile struct {
	AddedTokens  []addedToken `json:"added_tokens"`
	Normalizer   *struct{}    `json:"normalizer"`
	PreTokenizer struct {
		Type           string `json:"type"`
		AddPrefixSpace bool   `json:"add_prefix_space"`
		UseRegex       *bool  `json:"use_regex"` // absent means true
	} `json:"pre_tokenizer"`
	Model struct {
		Type         string           `json:"type"`
		Dropout      *float64         `json:"dropout"`
		Prefix       string           `json:"continuing_subword_prefix"`
		Suffix       string           `json:"end_of_word_suffix"`
		ByteFallback bool             `json:"byte_fallback"`
		IgnoreMerges bool             `json:"ignore_merges"`
		Vocab        map[string]int32 `json:"vocab"`
		Merges       []mergeRule      `json:"merges"`
	} `json:"model"`
}

// mergeRule is one merge in either spelling: "a b" (most files) or ["a", "b"] (newer ones).
type mergeRule [2]string

// UnmarshalJSON reads both spellings.
func (m *mergeRule) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		var parts []string
		if err := json.Unmarshal(b, &parts); err != nil {
			return err
		}
		if len(parts) != 2 {
			return fmt.Errorf("merge %s: want two tokens", b)
		}
		m[0], m[1] = parts[0], parts[1]
		return nil
	}
	var line string
	if err := json.Unmarshal(b, &line); err != nil {
		return err
	}
	left, right, ok := strings.Cut(line, " ")
	if !ok || strings.Contains(right, " ") {
		return fmt.Errorf("merge %q: want two tokens with a space between", line)
	}
	m[0], m[1] = left, right
	return nil
}

// supported names the first thing that this package's tokenizer would get wrong.
func (f tokenizerFile) supported() error {
	const want = "supported is byte-level BPE as GPT-2's"
	switch {
	case f.Model.Type != "BPE" && f.Model.Type != "":
		return fmt.Errorf("a %s model: %s", f.Model.Type, want)
	case f.PreTokenizer.Type != "ByteLevel":
		return fmt.Errorf("pre-tokenizer %q: %s", f.PreTokenizer.Type, want)
	case f.PreTokenizer.UseRegex != nil && !*f.PreTokenizer.UseRegex, f.PreTokenizer.AddPrefixSpace:
		return fmt.Errorf("pre-tokenizer with use_regex false or add_prefix_space true: %s", want)
	case f.Normalizer != nil:
		return fmt.Errorf("a normalizer: %s", want)
	case f.Model.Dropout != nil, f.Model.Prefix != "", f.Model.Suffix != "", f.Model.ByteFallback, f.Model.IgnoreMerges:
		return fmt.Errorf("dropout, affixes, byte_fallback or ignore_merges: %s", want)
	}
	return f.checkIDs()
}

func (f tokenizerFile) checkIDs() error {
	for token, id := range f.Model.Vocab {
		if id < 0 || id >= maxTokens {
			return fmt.Errorf("token %q has id %d, outside 0 to %d", token, id, maxTokens-1)
		}
	}
	for _, a := range f.AddedTokens {
		switch {
		case a.ID < 0 || a.ID >= maxTokens:
			return fmt.Errorf("added token %q has id %d, outside 0 to %d", a.Content, a.ID, maxTokens-1)
		case a.Content == "":
			return fmt.Errorf("added token %d is empty", a.ID)
		case a.LStrip, a.RStrip, a.Single:
			return fmt.Errorf("added token %q has lstrip, rstrip or single_word, which is not supported", a.Content)
		}
	}
	return nil
}

// size returns one more than the largest id.
func (f tokenizerFile) size() int {
	largest := int32(-1)
	for _, id := range f.Model.Vocab {
		largest = max(largest, id)
	}
	for _, a := range f.AddedTokens {
		largest = max(largest, a.ID)
	}
	return int(largest) + 1
}

// findEOS returns the id of the end-of-text token, or -1: by tokenizer_config.json's eos_token, else by config.json's
// eos_token_id (openai-community/gpt2 has only that).
func findEOS(files fs.FS, t *Tokenizer) (int32, error) {
	var names tokenizerConfig
	if err := readJSON(files, tokenizerConfigFile, &names); err != nil {
		return -1, err
	}
	if name := string(names.EOS); name != "" {
		for id, token := range t.tokens {
			if string(token) == name {
				return int32(id), nil
			}
		}
		return -1, fmt.Errorf("tokenizer_config.json: eos_token %q is not in tokenizer.json", name)
	}
	var config struct {
		EOS eosID `json:"eos_token_id"`
	}
	if err := readJSON(files, "config.json", &config); err != nil {
		return -1, err
	}
	if config.EOS.set && config.EOS.id >= 0 && int(config.EOS.id) < len(t.tokens) && t.tokens[config.EOS.id] != nil {
		return config.EOS.id, nil
	}
	return -1, nil
}

// tokenName is a token's text, given as a string or as an object with its content.
type tokenName string

// UnmarshalJSON reads both spellings and null.
func (n *tokenName) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '{' {
		var token addedToken
		err := json.Unmarshal(b, &token)
		*n = tokenName(token.Content)
		return err
	}
	return json.Unmarshal(b, (*string)(n))
}

// eosID is a token id, given as a number or as a list whose first counts.
type eosID struct {
	id  int32
	set bool
}

// UnmarshalJSON reads both spellings and null.
func (e *eosID) UnmarshalJSON(b []byte) error {
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

// readJSON decodes a file where there is one.
func readJSON(files fs.FS, name string, into any) error {
	body, err := fs.ReadFile(files, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
