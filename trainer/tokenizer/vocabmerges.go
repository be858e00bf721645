package tokenizer

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// Files of a byte-level BPE from before tokenizer.json.
const (
	VocabFile  = "vocab.json"
	MergesFile = "merges.txt"
)

// bpeClass is what a class of transformers adds to vocab.json and merges.txt.
type bpeClass struct {
	pattern  string // empty: GPT-2's
	nfc      bool
	standard []member // the tokens that it has where no file says another
}

// bpeClasses are classes of transformers 5.24 (models/*/tokenization_*.py).
func bpeClasses() map[string]bpeClass {
	named := func(text string, names ...string) (list []member) {
		for _, name := range names {
			list = append(list, member{name, json.RawMessage(`"` + text + `"`)})
		}
		return list
	}
	const end = "<|endoftext|>"
	return map[string]bpeClass{
		"GPT2Tokenizer": {standard: named(end, "unk_token", "bos_token", "eos_token")},
		"GPTNeoXTokenizer": {
			nfc: true, standard: append(named(end, "unk_token", "bos_token", "eos_token"), named("<|padding|>", "pad_token")...),
		},
		"Qwen2Tokenizer": {pattern: qwen2Pattern, nfc: true, standard: named(end, "unk_token", "eos_token", "pad_token")},
	}
}

// classOfModel names the class of a model_type whose files do not (tokenization_auto.py).
func classOfModel(modelType string) string {
	switch modelType {
	case "gpt2", "gpt_neo", "opt", "phi":
		return "GPT2Tokenizer"
	case "gpt_neox", "olmo":
		return "GPTNeoXTokenizer"
	case "qwen2", "qwen3":
		return "Qwen2Tokenizer"
	}
	return ""
}

// vocabAndMerges reports whether a model has these files in place of tokenizer.json.
func vocabAndMerges(files fs.FS) bool {
	_, noTokenizer := fs.Stat(files, File)
	_, noVocab := fs.Stat(files, VocabFile)
	_, noMerges := fs.Stat(files, MergesFile)
	return errors.Is(noTokenizer, fs.ErrNotExist) && noVocab == nil && noMerges == nil
}

// className returns the tokenizer's class in transformers.
func className(files fs.FS, settings []member) (string, error) {
	var class string
	if value, ok := find(settings, "tokenizer_class"); ok {
		if err := json.Unmarshal(value, &class); err != nil {
			return "", fmt.Errorf("%s: tokenizer_class: %w", ConfigFile, err)
		}
	}
	var config struct {
		ModelType string `json:"model_type"`
		Class     string `json:"tokenizer_class"`
	}
	if err := readJSON(files, weights.ConfigFile, &config); err != nil {
		return "", err
	}
	for _, name := range []string{class, config.Class, classOfModel(config.ModelType)} {
		if name != "" {
			return strings.TrimSuffix(name, "Fast"), nil
		}
	}
	return "", fmt.Errorf("%s does not say which tokenizer_class %s and %s are of; %s", ConfigFile, VocabFile, MergesFile, convertHint)
}

// convertHint makes a tokenizer.json, in one line.
const convertHint = "make a tokenizer.json: " +
	`python -c "from transformers import AutoTokenizer as T; T.from_pretrained('DIR').save_pretrained('DIR')"`

// standardTokens are the tokens that a tokenizer's class has by itself; none where there is a tokenizer.json.
func standardTokens(files fs.FS, settings []member) ([]member, error) {
	if !vocabAndMerges(files) {
		return nil, nil
	}
	class, err := className(files, settings)
	return bpeClasses()[class].standard, err
}

// loadVocabMerges reads a tokenizer of vocab.json and merges.txt, as AutoTokenizer of transformers does.
func loadVocabMerges(files fs.FS) (*Tokenizer, error) {
	names, err := ReadConfig(files)
	if err != nil {
		return nil, asInput(err)
	}
	t, sum, err := buildVocabMerges(files, names)
	if err != nil {
		return nil, fmt.Errorf("%w: tokenizer of %s and %s: %w", trial.ErrInput, VocabFile, MergesFile, err)
	}
	if err := t.findSpecial(files, names); err != nil {
		return nil, asInput(err)
	}
	if err := t.addAround(names); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", trial.ErrInput, ConfigFile, err)
	}
	whole := sha256.Sum256(fmt.Appendf(nil, "%s\nprefix %v suffix %v eos %d", sum, t.prefix, t.suffix, t.eos))
	t.fingerprint = hex.EncodeToString(whole[:])
	return t, nil
}

// buildVocabMerges returns with the tokenizer a text that says all that it is made of.
func buildVocabMerges(files fs.FS, names Config) (*Tokenizer, string, error) {
	class, err := className(files, names.settings)
	if err != nil {
		return nil, "", err
	}
	known, ok := bpeClasses()[class]
	if !ok {
		return nil, "", fmt.Errorf("tokenizer_class %q is not supported without a tokenizer.json: there are %s; %s", class,
			strings.Join(slices.Sorted(maps.Keys(bpeClasses())), ", "), convertHint)
	}
	m, err := readVocabMerges(files)
	if err != nil {
		return nil, "", err
	}
	prefixSpace, err := names.flag("add_prefix_space")
	if err != nil {
		return nil, "", err
	}
	file := known.file(prefixSpace)
	file.AddedTokens = names.complete(nil, m.Vocab)
	t, err := newTokenizer(file, m)
	return t, fmt.Sprintf("%s %v %v %q %+v", class, prefixSpace, m.Vocab, m.Merges, file.AddedTokens), err
}

// file is the tokenizer.json that the class makes, but for its model.
func (c bpeClass) file(prefixSpace bool) tokenizerFile {
	byOwnRule := c.pattern == ""
	last := component{Type: "ByteLevel", AddPrefixSpace: &prefixSpace, UseRegex: &byOwnRule}
	file := tokenizerFile{PreTokenizer: &last, Decoder: &component{Type: "ByteLevel"}}
	if !byOwnRule {
		first := component{Type: "Split", Behavior: isolated, Pattern: &splitPattern{Regex: &c.pattern}}
		file.PreTokenizer = &component{Type: "Sequence", Pretokenizers: []component{first, last}}
	}
	if c.nfc {
		file.Normalizer = &component{Type: "NFC"}
	}
	return file
}

func readVocabMerges(files fs.FS) (modelFile, error) {
	var m modelFile
	if err := readJSON(files, VocabFile, &m.Vocab); err != nil {
		return m, err
	}
	body, err := weights.ReadText(files, MergesFile)
	if err != nil {
		return m, err
	}
	n := 0
	for line := range strings.Lines(string(body)) {
		n++
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, "#version") {
			continue
		}
		rule, err := parseMerge(line)
		if err != nil {
			return m, fmt.Errorf("%s, line %d: %w", MergesFile, n, err)
		}
		m.Merges = append(m.Merges, rule)
	}
	if len(m.Merges) == 0 {
		return m, fmt.Errorf("%s holds no merges, without which text would be cut into single characters", MergesFile)
	}
	return m, nil
}

// addAround sets what tokenizer_config.json wants around every text.
func (t *Tokenizer) addAround(names Config) error {
	bos, err := names.flag("add_bos_token")
	if err != nil {
		return err
	}
	eos, err := names.flag("add_eos_token")
	if err != nil {
		return err
	}
	if bos && t.bos >= 0 {
		t.prefix = []int32{t.bos}
	}
	if eos && t.eos >= 0 {
		t.suffix = []int32{t.eos}
	}
	return nil
}

// flag returns a setting of tokenizer_config.json; absent and null mean no.
func (c Config) flag(key string) (on bool, err error) {
	value, ok := find(c.settings, key)
	if !ok {
		return false, nil
	}
	if err := json.Unmarshal(value, &on); err != nil {
		return false, fmt.Errorf("%s: %w", key, err)
	}
	return on, nil
}

// withoutTokenizer is the error about a model that has no tokenizer that can be read.
func withoutTokenizer(files fs.FS, missing error) error {
	for _, name := range []string{"tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "tekken.json", "vocab.txt", VocabFile} {
		if _, err := fs.Stat(files, name); err == nil {
			return fmt.Errorf("%w: the model's tokenizer is only in %s, which cannot be read; %s: %w", trial.ErrInput, name, convertHint, missing)
		}
	}
	return fmt.Errorf("%w: the model has no tokenizer.json, which text needs: put it beside config.json, or give pre-tokenised "+
		"rows (input_ids): %w", trial.ErrInput, missing)
}
