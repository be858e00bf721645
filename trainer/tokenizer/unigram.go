package tokenizer

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"unicode/utf8"
)

// unigramFile is a Unigram model. Its vocabulary is a list of tokens with the logarithms of their probabilities.
type unigramFile struct {
	UNK          *int           `json:"unk_id"`
	ByteFallback bool           `json:"byte_fallback"`
	Vocab        []unigramToken `json:"vocab"`
}

type unigramToken struct {
	text  string
	score float64
}

// UnmarshalJSON reads ["▁the", -3.2].
func (t *unigramToken) UnmarshalJSON(b []byte) error {
	var pair [2]json.RawMessage
	if err := json.Unmarshal(b, &pair); err != nil {
		return err
	}
	return errors.Join(json.Unmarshal(pair[0], &t.text), json.Unmarshal(pair[1], &t.score))
}

func (f unigramFile) build(byteLevel bool) (pieceModel, error) {
	if byteLevel {
		return nil, errors.New("a Unigram model after the pre-tokenizer ByteLevel is not supported")
	}
	return newUnigramModel(f)
}

func (f unigramFile) vocabulary() map[string]int32 {
	vocab := make(map[string]int32, len(f.Vocab))
	for id, t := range f.Vocab {
		vocab[t.text] = int32(id)
	}
	return vocab
}

// unigramModel cuts a piece into the tokens that are likeliest together (Kudo 2018), as Hugging Face's Unigram does.
type unigramModel struct {
	tokens  []unigramToken // sorted by text
	ids     []int32        // of tokens
	first   [257]int       // where the tokens with a first byte begin
	bytes   [256]int32     // the ids of <0x00> to <0xFF>; -1 for those without a token
	vocab   map[string]int32
	unk     int32
	unknown float64 // score of a character without a token
}

// unknownPenalty is how much less likely than the least likely token a character without one is (kUnkPenalty of SentencePiece).
const unknownPenalty = 10

func newUnigramModel(file unigramFile) (*unigramModel, error) {
	if file.UNK == nil || *file.UNK < 0 || *file.UNK >= len(file.Vocab) {
		return nil, errors.New("a Unigram model whose unk_id is not in its vocabulary is not supported")
	}
	m := &unigramModel{vocab: file.vocabulary(), unk: int32(*file.UNK), unknown: math.Inf(1)}
	for _, t := range file.Vocab {
		if math.IsNaN(t.score) || math.IsInf(t.score, 0) {
			return nil, fmt.Errorf("token %.40q has the score %v", t.text, t.score)
		}
		m.unknown = min(m.unknown, t.score-unknownPenalty)
	}
	m.setBytes(file.ByteFallback)
	m.sort(file.Vocab)
	return m, nil
}

func (m *unigramModel) setBytes(fallback bool) {
	for b := range m.bytes {
		m.bytes[b] = -1
		if id, ok := m.vocab[fmt.Sprintf("<0x%02X>", b)]; ok && fallback {
			m.bytes[b] = id
		}
	}
}

// sort orders the tokens, so that those that begin with a text stand together. Of two with one text the last counts.
func (m *unigramModel) sort(vocab []unigramToken) {
	for id, t := range vocab {
		if t.text != "" && m.vocab[t.text] == int32(id) {
			m.ids = append(m.ids, int32(id))
		}
	}
	slices.SortFunc(m.ids, func(a, b int32) int { return cmp.Compare(vocab[a].text, vocab[b].text) })
	for _, id := range m.ids {
		m.tokens = append(m.tokens, vocab[id])
	}
	for b := range m.first {
		m.first[b] = sort.Search(len(m.tokens), func(i int) bool { return int(m.tokens[i].text[0]) >= b })
	}
}

// eachPrefix calls found with the index of every token that s begins with, the shortest first.
func (m *unigramModel) eachPrefix(s string, found func(i int)) {
	low, high := m.first[s[0]], m.first[int(s[0])+1]
	for n := 1; low < high; n++ {
		if len(m.tokens[low].text) == n {
			found(low)
			low++
		}
		if n == len(s) {
			return
		}
		rest := m.tokens[low:high]
		low, high = low+sort.Search(len(rest), func(i int) bool { return rest[i].text[n] >= s[n] }),
			low+sort.Search(len(rest), func(i int) bool { return rest[i].text[n] > s[n] })
	}
}

// place is the best way to cut what comes before a place in a piece.
type place struct {
	score float64
	from  int // where its last token begins; -1 where no way is known
	id    int32
}

// encode appends the ids of one piece.
func (m *unigramModel) encode(ids []int32, piece string) []int32 {
	best := m.bestPlaces(piece)
	start := len(ids)
	for end := len(piece); end > 0; {
		at := best[end]
		from := at.from
		for at.id == m.unk && from > 0 && best[from].id == m.unk { // neighbouring unknown characters are one
			from = best[from].from
		}
		ids = m.appendBackwards(ids, piece[from:end], at.id)
		end = from
	}
	slices.Reverse(ids[start:])
	return ids
}

// appendBackwards appends the id of a token, or where it is unknown those of its bytes, the last first.
func (m *unigramModel) appendBackwards(ids []int32, text string, id int32) []int32 {
	if id != m.unk {
		return append(ids, id)
	}
	if known, ok := m.vocab[text]; ok {
		return append(ids, known)
	}
	for i := range len(text) {
		if m.bytes[text[i]] < 0 {
			return append(ids, m.unk)
		}
	}
	for i := len(text) - 1; i >= 0; i-- {
		ids = append(ids, m.bytes[text[i]])
	}
	return ids
}

// bestPlaces is Viterbi's algorithm over the places between characters.
func (m *unigramModel) bestPlaces(s string) []place {
	best := make([]place, len(s)+1)
	for i := range best {
		best[i].from = -1
	}
	for from, size := 0, 0; from < len(s); from += size {
		_, size = utf8.DecodeRuneInString(s[from:])
		known := false
		reach := func(n int, score float64, id int32) {
			if to := &best[from+n]; to.from < 0 || best[from].score+score > to.score {
				*to = place{best[from].score + score, from, id}
			}
		}
		m.eachPrefix(s[from:], func(i int) {
			n := len(m.tokens[i].text)
			known = known || n == size
			reach(n, m.tokens[i].score, m.ids[i])
		})
		if !known {
			reach(size, m.unknown, m.unk)
		}
	}
	return best
}
