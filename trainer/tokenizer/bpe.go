package tokenizer

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// bpeModel turns pieces of text into ids.
type bpeModel struct {
	bytes     [256]int32       // byte-level: the id of each byte; else of <0x00> to <0xFF>; -1 for those without a token
	chars     map[string]int32 // the vocabulary by text; nil for byte-level
	merges    map[pair]merge
	whole     map[string]int32 // ignore_merges: pieces that are one token whatever the merges; by text
	byteLevel bool
	fallback  bool  // byte_fallback
	unk       int32 // -1 where there is none
	fuse      bool  // of neighbouring unknown characters one unk
}

func newBPEModel(file modelFile, byteLevel bool) (*bpeModel, error) {
	m := &bpeModel{
		merges: make(map[pair]merge, len(file.Merges)), byteLevel: byteLevel, fallback: file.ByteFallback, unk: -1,
		fuse: file.FuseUNK,
	}
	if file.Dropout != nil && *file.Dropout != 0 || file.Prefix != "" || file.Suffix != "" {
		return m, errors.New("a BPE model with dropout, continuing_subword_prefix or end_of_word_suffix is not supported")
	}
	if file.UNK != nil {
		id, ok := file.Vocab[*file.UNK]
		if !ok {
			return m, fmt.Errorf("unk_token %.40q is not in the vocabulary", *file.UNK)
		}
		m.unk = id
	}
	for rank, rule := range file.Merges {
		left, okLeft := file.Vocab[rule[0]]
		right, okRight := file.Vocab[rule[1]]
		id, ok := file.Vocab[rule[0]+rule[1]]
		if !okLeft || !okRight || !ok {
			return m, fmt.Errorf("merge %d (%.40q with %.40q) names a token that is not in the vocabulary", rank, rule[0], rule[1])
		}
		m.merges[pair{left, right}] = merge{rank: int32(rank), id: id}
	}
	m.setBytes(file.Vocab)
	if file.IgnoreMerges {
		m.setWhole(file.Vocab)
	}
	return m, nil
}

func (m *bpeModel) setBytes(vocab map[string]int32) {
	if !m.byteLevel {
		m.chars = vocab
	}
	for b, symbol := range byteSymbols() {
		name := string(symbol)
		if !m.byteLevel {
			name = fmt.Sprintf("<0x%02X>", b)
		}
		m.bytes[b] = -1
		if id, ok := vocab[name]; ok {
			m.bytes[b] = id
		}
	}
}

func (m *bpeModel) setWhole(vocab map[string]int32) {
	m.whole = vocab
	if !m.byteLevel {
		return
	}
	m.whole = make(map[string]int32, len(vocab))
	spelt := spelling()
	for text, id := range vocab {
		if raw := tokenBytes(text, spelt); !m.byteLevel || spells(text, spelt) {
			m.whole[string(raw)] = id
		}
	}
}

// spells reports whether every character of a token spells a byte.
func spells(text string, spelt map[rune]byte) bool {
	for _, r := range text {
		if _, ok := spelt[r]; !ok {
			return false
		}
	}
	return true
}

// encode appends the ids of one piece.
func (m *bpeModel) encode(ids []int32, piece string) []int32 {
	if id, ok := m.whole[piece]; ok {
		return append(ids, id)
	}
	start := len(ids)
	if m.byteLevel {
		ids = m.appendBytes(ids, piece)
	} else {
		ids = m.appendChars(ids, piece)
	}
	return ids[:start+m.mergeAll(ids[start:])]
}

// appendBytes appends the id of every byte. A byte without a token is unknown.
func (m *bpeModel) appendBytes(ids []int32, piece string) []int32 {
	unknown := false
	for i := range len(piece) {
		id := m.bytes[piece[i]]
		if id < 0 {
			ids, unknown = m.appendUnknown(ids, unknown)
			continue
		}
		ids, unknown = append(ids, id), false
	}
	return ids
}

// appendChars appends the id of every character: else those of its bytes, else unk.
func (m *bpeModel) appendChars(ids []int32, piece string) []int32 {
	unknown := false
	for i := 0; i < len(piece); {
		_, size := utf8.DecodeRuneInString(piece[i:])
		char := piece[i : i+size]
		i += size
		if id, ok := m.chars[char]; ok {
			ids, unknown = append(ids, id), false
			continue
		}
		if m.fallback && m.hasBytes(char) {
			for j := range len(char) {
				ids = append(ids, m.bytes[char[j]])
			}
			unknown = false
			continue
		}
		ids, unknown = m.appendUnknown(ids, unknown)
	}
	return ids
}

func (m *bpeModel) hasBytes(char string) bool {
	for i := range len(char) {
		if m.bytes[char[i]] < 0 {
			return false
		}
	}
	return true
}

// appendUnknown appends unk. Without one, what is unknown is left out, as Hugging Face's does.
func (m *bpeModel) appendUnknown(ids []int32, before bool) ([]int32, bool) {
	if m.unk < 0 || before && m.fuse {
		return ids, true
	}
	return append(ids, m.unk), true
}
