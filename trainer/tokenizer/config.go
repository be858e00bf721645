package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/ranksweep/ranksweep/trainer/weights"
)

// ConfigFile names the special tokens and may hold the chat template.
const ConfigFile = "tokenizer_config.json"

// Config is what tokenizer_config.json says, and of the tokens also what special_tokens_map.json and added_tokens.json say.
type Config struct {
	ChatTemplate json.RawMessage // a string, or a list of named ones; package chat reads it

	settings []member // of tokenizer_config.json

	named  []namedToken
	extra  []addedToken // special ones without a name
	listed []addedToken // all that are added to the vocabulary, with their ids
	lists  bool         // listed is from tokenizer_config.json, so that the other files do not count
}

// ReadConfig reads tokenizer_config.json and its older neighbours. A model without one has an empty Config.
func ReadConfig(files fs.FS) (Config, error) {
	var c Config
	settings, err := readObject(files, ConfigFile)
	if err != nil {
		return c, err
	}
	c.settings = settings
	c.ChatTemplate, _ = find(settings, "chat_template")
	standard, err := standardTokens(files, settings)
	if err != nil {
		return c, err
	}
	if err := c.readNames(files, slices.Concat(standard, settings)); err != nil {
		return c, fmt.Errorf("special tokens of %s and %s: %w", ConfigFile, SpecialTokensFile, err)
	}
	return c, nil
}

// SpecialTokens returns the tokens that a chat template can use, by the names that transformers gives them.
func (c Config) SpecialTokens() map[string]string {
	tokens := make(map[string]string, len(c.named))
	for _, n := range c.named {
		tokens[n.name] = n.token.Content
	}
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
