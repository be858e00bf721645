package tokenizer

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ggufPre is how a tokenizer of the kind gpt2 splits text, which a GGUF file says only by a name.
type ggufPre struct {
	digits       bool     // every digit is a piece of its own; then GPT-2's rule
	patterns     []string // each cuts the pieces of the one before; none means GPT-2's rule
	nfc          bool     // as the model's own tokenizer.json has it; llama.cpp leaves it out
	ignoreMerges bool
	bos          bool // begins every text with BOS where the file does not say
}

// ggufPres are the values of tokenizer.ggml.pre, as llama.cpp splits for them (src/llama-vocab.cpp, llm_tokenizer_bpe and load). Where
// llama.cpp notes the pattern of the model's own tokenizer.json beside an approximation of it, that pattern is used.
func ggufPres() map[string]ggufPre {
	gpt2, digits := ggufPre{}, ggufPre{digits: true}
	llama3 := ggufPre{patterns: []string{llama3Pattern}, ignoreMerges: true, bos: true}
	plain3 := ggufPre{patterns: []string{llama3Pattern}}
	qwen2 := ggufPre{patterns: []string{qwen2Pattern}, nfc: true}
	gpt4o := ggufPre{patterns: []string{gpt4oPattern}}
	return map[string]ggufPre{
		"gpt-2": gpt2, "phi-2": gpt2, "mpt": gpt2, "olmo": gpt2, "jais": gpt2, "trillion": gpt2, "granite-docling": gpt2,
		"smollm": digits, "starcoder": digits, "refact": digits, "codeshell": digits, "command-r": digits, "exaone": digits, "minerva-7b": digits,
		"llama-bpe": llama3, "llama3": llama3, "llama-v3": llama3,
		"dbrx": plain3, "smaug-bpe": plain3,
		"qwen2": qwen2, "deepseek-r1-qwen": qwen2,
		"gpt-4o": gpt4o, "llama4": gpt4o,
		"tekken":         {patterns: []string{tekkenPattern}, ignoreMerges: true, bos: true},
		"deepseek-llm":   {patterns: deepseekLLMPatterns()},
		"deepseek-coder": {patterns: []string{`[\r\n]`, `\s?\p{L}+`, `\s?\p{P}+`, `[一-龥ࠀ-一가-퟿]+`, `\p{N}`}},
		"deepseek-v3":    {patterns: deepseekV3Patterns()},
		"seed-coder":     {patterns: []string{seedCoderPattern}},
	}
}

const (
	tekkenPattern = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|` +
		`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|` +
		`\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	gpt4oPattern = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|` +
		`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|` +
		`\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	seedCoderPattern = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// deepseekLLMPatterns writes characters that editors may normalise to others as numbers.
func deepseekLLMPatterns() []string {
	const letters = `A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚ` +
		`Ḁ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\u1F7Dᾀ-ᾴᾶ-ᾼ\u1FBEῂ-ῄῆ-ῌῐ-\u1FD3ῖ-\u1FDB` +
		`ῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\u2126ℨ\u212A-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃`
	return []string{
		`[\r\n]`, `\s?[` + letters + `]+`, `\s?[!-/:-~！-／：-～‘-‟　-。]+`, `\s+$`, `[一-龥ࠀ-一가-퟿]+`, `\p{N}+`,
	}
}

func deepseekV3Patterns() []string {
	return []string{
		`\p{N}{1,3}`, `[一-龥぀-ゟ゠-ヿ]+`,
		"[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|" +
			"\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
	}
}

// component is the pre-tokenizer as a tokenizer.json would have it.
func (p ggufPre) component() *component {
	var list []component
	if p.digits {
		list = append(list, component{Type: "Digits", IndividualDigits: true})
	}
	for i := range p.patterns {
		list = append(list, component{Type: "Split", Behavior: isolated, Pattern: &splitPattern{Regex: &p.patterns[i]}})
	}
	byOwnRule := len(p.patterns) == 0
	return &component{Type: "Sequence", Pretokenizers: append(list, component{Type: "ByteLevel", UseRegex: &byOwnRule})}
}

// pre returns how the tokenizer splits text, or an error that names what is not known.
func (m ggufMetadata) pre() (ggufPre, error) {
	name := m.text("tokenizer.ggml.pre")
	pre, ok := ggufPres()[name]
	if ok {
		return pre, nil
	}
	if name == "" || name == "default" {
		return pre, fmt.Errorf("tokenizer.ggml.pre is %q, so that nothing says how the tokenizer splits text; load a GGUF file made by a newer "+
			"converter, or a folder with the model's tokenizer.json", name)
	}
	return pre, fmt.Errorf("tokenizer.ggml.pre %q is not supported: there are %s; load a folder with the model's tokenizer.json", name,
		strings.Join(slices.Sorted(maps.Keys(ggufPres())), ", "))
}
