package tokenizer

import (
	"bytes"
	"cmp"
	"container/heap"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// EndOfText is the only special token of GPT-2 and of the tokenizers that Train makes.
const EndOfText = "<|endoftext|>"

// minPairCount is how often a pair must occur to be worth a token (as in Hugging Face's trainer's common setting).
const minPairCount = 2

// Train learns a byte-level BPE vocabulary of the given size from texts and returns it as Hugging Face's tokenizer.json:
// the 256 bytes in GPT-2's order, the merges in the order they were learnt, and <|endoftext|> last. The same texts give
// the same file: of pairs that are equally frequent the one with the lower ids is merged first.
func Train(texts iter.Seq2[string, error], vocabulary int) ([]byte, error) {
	if vocabulary < 258 {
		return nil, fmt.Errorf("train tokenizer: a vocabulary of %d is below the 256 bytes, one merge and %s", vocabulary, EndOfText)
	}
	pieces := map[string]int{}
	for text, err := range texts {
		if err != nil {
			return nil, fmt.Errorf("train tokenizer: %w", err)
		}
		for text != "" {
			n := nextPiece(text)
			pieces[text[:n]]++
			text = text[n:]
		}
	}
	b := newBPE(pieces)
	for len(b.spelling) < vocabulary-1 {
		if !b.mergeBest() {
			return nil, fmt.Errorf("train tokenizer: the texts hold only %d tokens worth learning, want %d", len(b.spelling), vocabulary-1)
		}
	}
	return b.tokenizerJSON()
}

// bpe is the state of learning merges. Counts are kept up to date by the words that a merge touches.
type bpe struct {
	words    []word
	spelling []string         // by id, in a byte-level vocabulary's characters
	ids      map[string]int32 // of spelling
	merges   []pair
	counts   map[pair]int
	where    map[pair]map[int]struct{} // words that held the pair at some time
	queue    pairQueue                 // may hold outdated counts; these are dropped when they come up
}

type word struct {
	ids   []int32
	count int
}

func newBPE(pieces map[string]int) *bpe {
	b := &bpe{ids: map[string]int32{}, counts: map[pair]int{}, where: map[pair]map[int]struct{}{}}
	symbols := byteSymbols()
	ranked := symbols
	slices.Sort(ranked[:]) // GPT-2's order: printable bytes first
	for id, symbol := range ranked {
		b.spelling = append(b.spelling, string(symbol))
		b.ids[string(symbol)] = int32(id)
	}
	for _, piece := range slices.Sorted(maps.Keys(pieces)) {
		w := word{ids: make([]int32, len(piece)), count: pieces[piece]}
		for i := range len(piece) {
			w.ids[i] = b.ids[string(symbols[piece[i]])]
		}
		b.words = append(b.words, w)
		b.addPairs(len(b.words)-1, 1, nil)
	}
	for p, n := range b.counts {
		b.queue = append(b.queue, countedPair{p, n})
	}
	heap.Init(&b.queue)
	return b
}

// addPairs counts the pairs of a word, sign times, and notes them in touched.
func (b *bpe) addPairs(at, sign int, touched map[pair]struct{}) {
	w := b.words[at]
	for i := 0; i+1 < len(w.ids); i++ {
		p := pair{w.ids[i], w.ids[i+1]}
		b.counts[p] += sign * w.count
		if touched != nil {
			touched[p] = struct{}{}
		}
		if sign > 0 {
			if b.where[p] == nil {
				b.where[p] = map[int]struct{}{}
			}
			b.where[p][at] = struct{}{}
		}
	}
}

// mergeBest makes the most frequent pair a token. It reports whether there was one worth it.
func (b *bpe) mergeBest() bool {
	for len(b.queue) > 0 {
		best := heap.Pop(&b.queue).(countedPair)
		if n := b.counts[best.pair]; n != best.count {
			continue // its count changed, and was queued anew when it did
		}
		if best.count < minPairCount {
			return false
		}
		b.merge(best.pair)
		return true
	}
	return false
}

func (b *bpe) merge(p pair) {
	spelling := b.spelling[p.left] + b.spelling[p.right]
	id, known := b.ids[spelling] // two ways can lead to one token: a+bc and ab+c
	if !known {
		id = int32(len(b.spelling))
		b.ids[spelling] = id
		b.spelling = append(b.spelling, spelling)
	}
	b.merges = append(b.merges, p)
	touched := map[pair]struct{}{}
	for at := range b.where[p] {
		b.addPairs(at, -1, touched)
		w := &b.words[at]
		w.ids = w.ids[:mergePair(w.ids, p, id)]
		b.addPairs(at, 1, touched)
	}
	delete(b.where, p)
	delete(touched, p)
	for q := range touched {
		heap.Push(&b.queue, countedPair{q, b.counts[q]})
	}
}

// mergePair replaces every p in ids by id, from the left, and returns how many ids remain.
func mergePair(ids []int32, p pair, id int32) int {
	n := 0
	for i := 0; i < len(ids); i++ {
		if i+1 < len(ids) && ids[i] == p.left && ids[i+1] == p.right {
			ids[n] = id
			i++
		} else {
			ids[n] = ids[i]
		}
		n++
	}
	return n
}

type countedPair struct {
	pair
	count int
}

// pairQueue is a heap with the most frequent pair on top; ties go to the lower ids.
type pairQueue []countedPair

func (q pairQueue) Len() int      { return len(q) }
func (q pairQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q pairQueue) Less(i, j int) bool {
	a, b := q[i], q[j]
	return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.left, b.left), cmp.Compare(a.right, b.right)) < 0
}

// Push implements heap.Interface.
func (q *pairQueue) Push(x any) { *q = append(*q, x.(countedPair)) }

// Pop implements heap.Interface.
func (q *pairQueue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// tokenizerJSON writes the file with the vocabulary by id, which encoding/json would sort by name.
func (b *bpe) tokenizerJSON() ([]byte, error) {
	vocab := bytes.NewBufferString("{")
	merges := make([]string, len(b.merges))
	for id, spelling := range append(b.spelling, EndOfText) {
		if id > 0 {
			vocab.WriteByte(',')
		}
		name, err := trial.PlainJSON(spelling)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(vocab, "%s:%d", name, id)
	}
	vocab.WriteByte('}')
	for i, m := range b.merges {
		merges[i] = b.spelling[m.left] + " " + b.spelling[m.right]
	}
	byteLevel := map[string]any{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}
	return trial.PlainJSON(map[string]any{
		"version":    "1.0",
		"truncation": nil,
		"padding":    nil,
		"added_tokens": []map[string]any{{
			"id": len(b.spelling), "content": EndOfText, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
			"special": true,
		}},
		"normalizer":     nil,
		"pre_tokenizer":  byteLevel,
		"post_processor": byteLevel,
		"decoder":        byteLevel,
		"model": map[string]any{
			"type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": nil, "end_of_word_suffix": nil,
			"fuse_unk": false, "byte_fallback": false, "ignore_merges": false, "vocab": json.RawMessage(vocab.Bytes()), "merges": merges,
		},
	})
}
