package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxTokens bounds the ids of a tokenizer: beyond any vocabulary in use, small enough that a hostile file cannot ask for
// more memory than the machine has.
const maxTokens = 1 << 21

// File is the tokenizer's file in a model folder.
const File = "tokenizer.json"

// tokenizerFile is the part of Hugging Face's tokenizer.json that decides about ids and texts.
type tokenizerFile struct {
	AddedTokens   []addedToken    `json:"added_tokens"`
	Normalizer    *component      `json:"normalizer"`
	PreTokenizer  *component      `json:"pre_tokenizer"`
	PostProcessor *component      `json:"post_processor"`
	Decoder       *component      `json:"decoder"`
	Model         json.RawMessage `json:"model"`
}

// modelFile is a BPE model. Other models spell vocab otherwise, so that the type is read first.
type modelFile struct {
	Dropout      *float64         `json:"dropout"`
	UNK          *string          `json:"unk_token"`
	Prefix       string           `json:"continuing_subword_prefix"`
	Suffix       string           `json:"end_of_word_suffix"`
	FuseUNK      bool             `json:"fuse_unk"`
	ByteFallback bool             `json:"byte_fallback"`
	IgnoreMerges bool             `json:"ignore_merges"`
	Vocab        map[string]int32 `json:"vocab"`
	Merges       []mergeRule      `json:"merges"`
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
	var err error
	*m, err = parseMerge(line)
	return err
}

func parseMerge(line string) (mergeRule, error) {
	left, right, ok := strings.Cut(line, " ")
	if !ok || strings.Contains(right, " ") {
		return mergeRule{}, fmt.Errorf("merge %q: want two tokens with a space between", line)
	}
	return mergeRule{left, right}, nil
}

// parse reads a tokenizer.json, completed by what its neighbours say of tokens. added describes what they add or change; it is empty
// where they agree.
func parse(body []byte, names Config) (t *Tokenizer, added string, err error) {
	var file tokenizerFile
	if err := json.Unmarshal(body, &file); err != nil {
		return nil, "", err
	}
	m, err := parseModel(file.Model)
	if err != nil {
		return nil, "", err
	}
	all := names.complete(file.AddedTokens, m.vocabulary())
	sameIDs := func(a, b addedToken) bool {
		a.Special = b.Special // which only matters where ids become text
		return a == b
	}
	if !slices.EqualFunc(all, file.AddedTokens, sameIDs) {
		added = fmt.Sprintf("\nadded %+v", all)
	}
	file.AddedTokens = all
	t, err = newTokenizer(file, m)
	return t, added, err
}

func parseModel(body json.RawMessage) (model, error) {
	if len(body) == 0 {
		return nil, errors.New("it has no model")
	}
	var kind struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(body, &kind); err != nil {
		return nil, err
	}
	switch kind.Type {
	case "BPE", "":
		var m modelFile
		err := json.Unmarshal(body, &m)
		return m, err
	case "Unigram":
		var m unigramFile
		err := json.Unmarshal(body, &m)
		return m, err
	}
	return nil, fmt.Errorf("a %s model is not supported, only BPE and Unigram are", kind.Type)
}

// model is a BPE or Unigram model as a file has it.
type model interface {
	vocabulary() map[string]int32
	build(byteLevel bool) (pieceModel, error)
}

func (m modelFile) vocabulary() map[string]int32 { return m.Vocab }

func (m modelFile) build(byteLevel bool) (pieceModel, error) { return newBPEModel(m, byteLevel) }

// newTokenizer checks that file and model describe what this package implements, to the id, and builds the tables.
func newTokenizer(file tokenizerFile, m model) (*Tokenizer, error) {
	t := &Tokenizer{bos: -1, eos: -1}
	if err := t.setVocabulary(m.vocabulary(), file.AddedTokens); err != nil {
		return nil, err
	}
	if err := t.setSteps(file); err != nil {
		return nil, err
	}
	var err error
	t.model, err = m.build(t.pre.byteLevel)
	return t, err
}

// setVocabulary fills the table of tokens. An added token replaces the one of its id.
func (t *Tokenizer) setVocabulary(vocab map[string]int32, added []addedToken) error {
	size := int32(0)
	for token, id := range vocab {
		if id < 0 || id >= maxTokens {
			return fmt.Errorf("token %.40q has id %d, outside 0 to %d", token, id, maxTokens-1)
		}
		size = max(size, id+1)
	}
	for _, a := range added {
		if a.ID < 0 || a.ID >= maxTokens {
			return fmt.Errorf("added token %.40q has id %d, outside 0 to %d", a.Content, a.ID, maxTokens-1)
		}
		size = max(size, a.ID+1)
	}
	t.tokens = make([]vocabEntry, size)
	t.vocab = make(map[string]int32, len(vocab)+len(added))
	for text, id := range vocab {
		t.tokens[id] = vocabEntry{text: text, known: true}
		t.vocab[text] = id
	}
	for _, a := range added {
		if a.Content == "" {
			return fmt.Errorf("added token %d is empty", a.ID)
		}
		t.tokens[a.ID] = vocabEntry{text: a.Content, known: true, special: a.Special}
		t.vocab[a.Content] = a.ID
	}
	return nil
}

// setSteps builds what comes before and after the model.
func (t *Tokenizer) setSteps(file tokenizerFile) error {
	err := errors.Join(file.Normalizer.checkGrowth(), file.Decoder.checkGrowth())
	if err != nil {
		return err
	}
	if t.normalize, err = newNormalizer(file.Normalizer); err != nil {
		return err
	}
	if t.pre, err = newPreTokenizer(file.PreTokenizer); err != nil {
		return err
	}
	if t.prefix, t.suffix, err = postProcess(file.PostProcessor, t.vocab); err != nil {
		return err
	}
	if t.decode, err = newDecoder(file.Decoder); err != nil {
		return err
	}
	t.setAdded(file.AddedTokens)
	return nil
}

// setAdded splits the added tokens into those that are looked for before normalizing and after it.
func (t *Tokenizer) setAdded(list []addedToken) {
	if t.normalize == nil {
		t.added = newAddedTokens(list)
		return
	}
	var raw, normalized []addedToken
	for _, a := range list {
		if !a.Normalized {
			raw = append(raw, a)
			continue
		}
		a.Content = t.normalize(a.Content)
		t.tokens[a.ID].text = a.Content // also when it is decoded
		normalized = append(normalized, a)
	}
	t.added = newAddedTokens(raw)
	if len(normalized) > 0 {
		t.normAdded = newAddedTokens(normalized)
	}
}

// templatePiece is a part of a TemplateProcessing: a special token or the text.
type templatePiece struct {
	SpecialToken *struct {
		ID string `json:"id"`
	} `json:"SpecialToken"`
	Sequence *struct {
		ID string `json:"id"`
	} `json:"Sequence"`
}

// namedID is a token as ["<s>", 0].
type namedID struct{ id int32 }

// UnmarshalJSON reads the pair.
func (n *namedID) UnmarshalJSON(b []byte) error {
	var text string
	return json.Unmarshal(b, &[]any{&text, &n.id})
}

// postProcess returns the ids that are put before and after every text.
func postProcess(c *component, vocab map[string]int32) (prefix, suffix []int32, err error) {
	if c == nil {
		return nil, nil, nil
	}
	switch c.Type {
	case "ByteLevel": // it changes offsets only
		return nil, nil, nil
	case "TemplateProcessing":
		return c.template(vocab)
	case "RobertaProcessing", "BertProcessing":
		if c.CLS == nil || c.SEP == nil {
			return nil, nil, fmt.Errorf("%s has no cls or sep", c.Type)
		}
		return []int32{c.CLS.id}, []int32{c.SEP.id}, nil
	case "Sequence":
		for i := range c.Processors {
			before, after, err := postProcess(&c.Processors[i], vocab)
			if err != nil {
				return nil, nil, err
			}
			prefix, suffix = append(before, prefix...), append(suffix, after...)
		}
		return prefix, suffix, nil
	}
	return nil, nil, fmt.Errorf("post-processor %q is not supported", c.Type)
}

func (c *component) template(vocab map[string]int32) (prefix, suffix []int32, err error) {
	texts := 0
	for _, piece := range c.Single {
		switch {
		case piece.SpecialToken != nil:
			ids := c.SpecialTokens[piece.SpecialToken.ID].IDs
			if len(ids) == 0 {
				return nil, nil, fmt.Errorf("TemplateProcessing does not say what the special token %q is", piece.SpecialToken.ID)
			}
			if texts == 0 {
				prefix = append(prefix, ids...)
			} else {
				suffix = append(suffix, ids...)
			}
		case piece.Sequence != nil && piece.Sequence.ID == "A":
			texts++
		default:
			return nil, nil, errors.New("TemplateProcessing has a part that is neither a special token nor the text A")
		}
	}
	if texts != 1 {
		return nil, nil, fmt.Errorf("TemplateProcessing has the text %d times, not once", texts)
	}
	return prefix, suffix, nil
}
