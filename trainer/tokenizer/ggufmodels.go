package tokenizer

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// byteLevel is tokenizer.ggml.model gpt2.
func (m ggufMetadata) byteLevel(tokens []string) (*Tokenizer, error) {
	pre, err := m.pre()
	if err != nil {
		return nil, err
	}
	file := tokenizerFile{Decoder: &component{Type: "ByteLevel"}, PreTokenizer: pre.component()}
	if pre.nfc {
		file.Normalizer = &component{Type: "NFC"}
	}
	lines, err := ggufList[string](m, "tokenizer.ggml.merges")
	if err != nil {
		return nil, err
	}
	if len(lines) == 0 { // llama.cpp refuses it in these words
		return nil, errors.New("cannot find tokenizer merges (tokenizer.ggml.merges), without which text would be cut into single " +
			"characters; load a GGUF file made by a newer converter, or a folder with the model's tokenizer.json")
	}
	model := modelFile{Vocab: vocabulary(tokens), Merges: make([]mergeRule, len(lines)), IgnoreMerges: pre.ignoreMerges}
	for i, line := range lines {
		if model.Merges[i], err = parseMerge(line); err != nil {
			return nil, fmt.Errorf("tokenizer.ggml.merges: %w", err)
		}
	}
	if file.AddedTokens, _, err = m.added(tokens); err != nil {
		return nil, err
	}
	return newTokenizer(file, model)
}

// spaceMark is SentencePiece's space.
const spaceMark = "▁"

// sentencePiece is tokenizer.ggml.model llama: SentencePiece's BPE, whose merges follow from the tokens' scores.
func (m ggufMetadata) sentencePiece(tokens []string) (*Tokenizer, error) {
	scores, err := ggufList[float32](m, "tokenizer.ggml.scores")
	if err != nil {
		return nil, err
	}
	if len(scores) != len(tokens) {
		return nil, fmt.Errorf("tokenizer.ggml.scores has %d entries for %d tokens", len(scores), len(tokens))
	}
	space, mark := " ", spaceMark
	file := tokenizerFile{
		Normalizer: &component{
			Type:        "Sequence",
			Normalizers: []component{{Type: "Replace", Pattern: &splitPattern{String: &space}, Content: mark}},
		},
		Decoder: &component{Type: "Sequence", Decoders: []component{
			{Type: "Replace", Pattern: &splitPattern{String: &mark}, Content: space}, {Type: "ByteFallback"}, {Type: "Fuse"},
		}},
	}
	if m.flag("tokenizer.ggml.add_space_prefix", true) {
		file.Normalizer.Normalizers = slices.Insert(file.Normalizer.Normalizers, 0, component{Type: "Prepend", Prepend: mark})
		file.Decoder.Decoders = append(file.Decoder.Decoders, component{Type: "Strip", Content: space, Start: 1})
	}
	var types []int32
	if file.AddedTokens, types, err = m.added(tokens); err != nil {
		return nil, err
	}
	model := modelFile{Vocab: vocabulary(tokens), ByteFallback: slices.Contains(types, ggufByte), FuseUNK: true}
	if id := m.id("tokenizer.ggml.unknown_token_id", len(tokens)); id >= 0 {
		model.UNK = &tokens[id]
	}
	t, err := newTokenizer(file, model)
	if err != nil {
		return nil, err
	}
	bpe, err := newBPEModel(model, false)
	if err == nil {
		bpe.merges, err = scoredMerges(tokens, scores, types, model.Vocab)
	}
	t.model = bpe
	return t, err
}

// maxScored is the longest token, in bytes, for which all ways to put it together are tried. Those in use have up to 48.
const maxScored = 512

// scoredMerges lists the pairs of tokens that are a token together: the higher its score, the earlier they are merged, and of
// equals the leftmost (Kudo & Richardson 2018; bpe_model.cc of SentencePiece).
func scoredMerges(tokens []string, scores []float32, types []int32, vocab map[string]int32) (map[pair]merge, error) {
	ordinary := func(id int32) bool { return types[id] <= 1 } // 0 where no types are given
	var order []int32
	for id, text := range tokens {
		if !ordinary(int32(id)) || vocab[text] != int32(id) {
			continue
		}
		if len(text) > maxScored {
			return nil, fmt.Errorf("token %d has %d bytes, at most %d are supported", id, len(text), maxScored)
		}
		order = append(order, int32(id))
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(scores[b], scores[a]) })
	merges := map[pair]merge{}
	rank := int32(0)
	for i, id := range order {
		if i > 0 && scores[id] != scores[order[i-1]] {
			rank++
		}
		text := tokens[id]
		for at := range text { // between characters
			left, okLeft := vocab[text[:at]]
			right, okRight := vocab[text[at:]]
			if at > 0 && okLeft && okRight && ordinary(left) && ordinary(right) {
				merges[pair{left, right}] = merge{rank: rank, id: id}
			}
		}
	}
	return merges, nil
}
