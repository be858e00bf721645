package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"

	"github.com/ranksweep/ranksweep/trainer/weights"
)

// ConfigFile names the special tokens and may hold the chat template.
const ConfigFile = "tokenizer_config.json"

// Config is what tokenizer_config.json says.
type Config struct {
	ChatTemplate json.RawMessage `json:"chat_template"` // a string, or a list of named ones; package chat reads it
	BOS          tokenName       `json:"bos_token"`
	EOS          tokenName       `json:"eos_token"`
	UNK          tokenName       `json:"unk_token"`
	PAD          tokenName       `json:"pad_token"`
	SEP          tokenName       `json:"sep_token"`
	CLS          tokenName       `json:"cls_token"`
	Mask         tokenName       `json:"mask_token"`
}

// ReadConfig reads tokenizer_config.json. A model without one has an empty Config.
func ReadConfig(files fs.FS) (Config, error) {
	var c Config
	err := readJSON(files, ConfigFile, &c)
	return c, err
}

// SpecialTokens returns the tokens that a chat template can use, by the names that transformers gives them.
func (c Config) SpecialTokens() map[string]string {
	tokens := map[string]string{
		"bos_token": string(c.BOS), "eos_token": string(c.EOS), "unk_token": string(c.UNK), "pad_token": string(c.PAD),
		"sep_token": string(c.SEP), "cls_token": string(c.CLS), "mask_token": string(c.Mask),
	}
	maps.DeleteFunc(tokens, func(_, token string) bool { return token == "" })
	return tokens
}

// GGUFChatTemplate returns the chat template that the model's GGUF file holds, and the special tokens that it can use. Its error wraps
// fs.ErrNotExist where the model is no GGUF file, or has no template.
func GGUFChatTemplate(files fs.FS) (source string, tokens map[string]string, err error) {
	metadata, err := readGGUF(files)
	if err != nil {
		return "", nil, err
	}
	if source = metadata.text(ggufChatTemplate); source == "" {
		return "", nil, fs.ErrNotExist
	}
	tokens, err = metadata.namedTokens()
	return source, tokens, err
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

// readJSON decodes a file where there is one.
func readJSON(files fs.FS, name string, into any) error {
	body, err := weights.ReadText(files, name)
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
