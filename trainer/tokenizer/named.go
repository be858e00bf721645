package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ranksweep/ranksweep/trainer/weights"
)

// Files that older models name tokens in.
const (
	SpecialTokensFile = "special_tokens_map.json"
	AddedTokensFile   = "added_tokens.json"
)

// namedToken is a special token by its name in transformers: eos_token, image_token, ….
type namedToken struct {
	name  string
	token addedToken
}

// readNames merges what the files say of tokens, as transformers 5.24 does (PreTrainedTokenizerBase._from_pretrained): where
// tokenizer_config.json lists the added tokens, it alone counts; else special_tokens_map.json wins.
func (c *Config) readNames(files fs.FS, settings []member) error {
	late := []member(nil)
	_, c.lists = find(settings, "added_tokens_decoder")
	if !c.lists {
		var err error
		if late, err = readObject(files, SpecialTokensFile); err != nil {
			return err
		}
	}
	if err := c.addNames(settings, late); err != nil {
		return err
	}
	if err := c.addExtra(settings, late); err != nil {
		return err
	}
	if c.lists {
		return c.addListed(settings)
	}
	return c.addAddedTokens(files)
}

// standardNames are the names that every tokenizer of transformers knows, in its order (SPECIAL_TOKENS_ATTRIBUTES).
func standardNames() []string {
	return []string{"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}
}

// addNames reads the named tokens: the standard ones, then a model's own, which come in the order of their files.
func (c *Config) addNames(settings, late []member) error {
	names := standardNames()
	for _, m := range slices.Concat(late, settings) {
		if strings.HasSuffix(m.key, "_token") && !slices.Contains(names, m.key) {
			names = append(names, m.key)
		}
	}
	for i, name := range names {
		value, ok := find(late, name)
		if !ok {
			value, _ = find(settings, name)
		}
		if err := c.addName(name, value, i >= len(standardNames())); err != nil {
			return err
		}
	}
	if value, ok := find(settings, "extra_special_tokens"); ok && isObject(value) {
		byName, err := parseObject(value)
		if err != nil {
			return fmt.Errorf("extra_special_tokens: %w", err)
		}
		for _, m := range byName {
			if err := c.addName(m.key, m.value, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// addName adds a token given as text or object. A model's own settings may end in _token and be no token.
func (c *Config) addName(name string, value json.RawMessage, own bool) error {
	if len(value) == 0 || string(value) == "null" || own && value[0] != '"' && value[0] != '{' {
		return nil
	}
	token, err := parseToken(value)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if token.Content != "" {
		c.named = append(c.named, namedToken{name, token})
	}
	return nil
}

// addExtra reads special tokens without a name.
func (c *Config) addExtra(settings, late []member) error {
	for _, from := range [][]member{settings, late} {
		value, ok := find(from, "extra_special_tokens")
		if !ok && len(c.extra) == 0 {
			value, ok = find(from, "additional_special_tokens")
		}
		if !ok || isObject(value) {
			continue
		}
		var list []json.RawMessage
		if err := json.Unmarshal(value, &list); err != nil {
			return fmt.Errorf("special tokens without a name: %w", err)
		}
		for _, item := range list {
			token, err := parseToken(item)
			if err != nil {
				return fmt.Errorf("special tokens without a name: %w", err)
			}
			c.extra = append(c.extra, token)
		}
	}
	return nil
}

// addListed reads added_tokens_decoder: tokens by id.
func (c *Config) addListed(settings []member) error {
	value, _ := find(settings, "added_tokens_decoder")
	var byID map[string]addedToken
	if err := json.Unmarshal(value, &byID); err != nil {
		return fmt.Errorf("added_tokens_decoder: %w", err)
	}
	for key, token := range byID {
		id, err := strconv.ParseInt(key, 10, 32)
		if err != nil {
			return fmt.Errorf("added_tokens_decoder: %q is no token id", key)
		}
		token.ID = int32(id)
		c.listed = append(c.listed, token)
	}
	slices.SortFunc(c.listed, func(a, b addedToken) int { return int(a.ID) - int(b.ID) })
	return nil
}

// addAddedTokens reads added_tokens.json: ids by text.
func (c *Config) addAddedTokens(files fs.FS) error {
	var ids map[string]int32
	if err := readJSON(files, AddedTokensFile, &ids); err != nil {
		return err
	}
	for _, text := range slices.SortedFunc(maps.Keys(ids), func(a, b string) int { return int(ids[a]) - int(ids[b]) }) {
		special := slices.ContainsFunc(c.named, func(n namedToken) bool { return n.token.Content == text }) ||
			slices.ContainsFunc(c.extra, func(t addedToken) bool { return t.Content == text })
		c.listed = append(c.listed, addedToken{ID: ids[text], Content: text, Special: special, Normalized: !special})
	}
	return nil
}

// complete returns the added tokens of tokenizer.json with those that only the other files have, or say more of. A token that is new to
// the vocabulary has the next id, whatever the files say, as in transformers (TokenizersBackend.__init__).
func (c Config) complete(list []addedToken, vocab map[string]int32) []addedToken {
	all := newTokenList(slices.Clone(list), vocab)
	for _, token := range c.listed {
		if at, ok := all.at[token.Content]; !ok || c.lists {
			all.put(token)
		} else if ok {
			all.tokens[at].Special = all.tokens[at].Special || token.Special
		}
	}
	for _, n := range c.named {
		switch at, ok := all.at[n.token.Content]; {
		case !ok:
			all.put(n.token)
		case !c.lists || c.hasListed(n.token.Content):
			all.tokens[at].Special = true
		}
	}
	for _, token := range c.extra {
		if _, ok := all.at[token.Content]; !ok {
			all.put(token)
		}
	}
	return all.tokens
}

func (c Config) hasListed(text string) bool {
	return slices.ContainsFunc(c.listed, func(t addedToken) bool { return t.Content == text })
}

// tokenList is a list of added tokens in the making.
type tokenList struct {
	tokens []addedToken
	at     map[string]int // by text
	vocab  map[string]int32
	next   int32 // id of a new token
}

func newTokenList(tokens []addedToken, vocab map[string]int32) *tokenList {
	l := &tokenList{tokens, make(map[string]int, len(tokens)), vocab, int32(len(vocab))}
	for i, t := range tokens {
		l.at[t.Content] = i
		l.next = max(l.next, t.ID+1)
	}
	return l
}

// put adds a token or changes what is known of it; special it stays.
func (l *tokenList) put(token addedToken) {
	if token.Content == "" {
		return
	}
	if at, ok := l.at[token.Content]; ok {
		token.ID, token.Special = l.tokens[at].ID, token.Special || l.tokens[at].Special
		l.tokens[at] = token
		return
	}
	id, ok := l.vocab[token.Content]
	if !ok {
		id = l.next
	}
	token.ID = id
	l.next = max(l.next, id+1)
	l.at[token.Content] = len(l.tokens)
	l.tokens = append(l.tokens, token)
}

// parseToken reads a token as a text or as an object.
func parseToken(value json.RawMessage) (token addedToken, err error) {
	if isObject(value) {
		err = json.Unmarshal(value, &token)
	} else {
		err = json.Unmarshal(value, &token.Content)
	}
	token.Special = true
	return token, err
}

// member is one of an object's, in the file's order.
type member struct {
	key   string
	value json.RawMessage
}

// find returns the last value of a key.
func find(list []member, key string) (json.RawMessage, bool) {
	for _, m := range slices.Backward(list) {
		if m.key == key {
			return m.value, true
		}
	}
	return nil, false
}

func isObject(value json.RawMessage) bool { return len(value) > 0 && value[0] == '{' }

// readObject reads a JSON object where there is the file.
func readObject(files fs.FS, name string) ([]member, error) {
	body, err := weights.ReadText(files, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	list, err := parseObject(body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return list, nil
}

// parseObject reads a JSON object with its order.
func parseObject(body []byte) ([]member, error) {
	if err := json.Unmarshal(body, &map[string]json.RawMessage{}); err != nil {
		return nil, err
	}
	in := json.NewDecoder(bytes.NewReader(body))
	if _, err := in.Token(); err != nil {
		return nil, err
	}
	var list []member
	for in.More() {
		key, err := in.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := in.Decode(&value); err != nil {
			return nil, err
		}
		list = append(list, member{fmt.Sprint(key), value})
	}
	return list, nil
}
