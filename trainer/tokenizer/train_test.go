package tokenizer

import (
	"iter"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestTrainLearnsTheMostFrequentPairsFirst(t *testing.T) {
	t.Parallel()
	body, err := Train(texts("low low low low low lower lower newest newest newest newest newest newest"), 262)
	if err != nil {
		t.Fatal(err)
	}
	tok := loadBytes(t, body)
	// w-e occurs 8 times, l-o and o-w 7 times, then every pair of newest 6 times: by count, ties to the lower ids.
	want := []string{"we", "lo", "ewe", "newe", "st", EndOfText}
	var learnt []string
	for id := 256; id < tok.Size(); id++ {
		learnt = append(learnt, tok.Decode([]int32{int32(id)}))
	}
	if diff := cmp.Diff(want, learnt); diff != "" {
		t.Errorf("tokens (-want +got):\n%s", diff)
	}
}

// Recounting everything after each merge is slow and plainly right.
func TestTrainEqualsRecounting(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.SampledFrom([]rune("aab b.")), 20, 300, -1).Draw(t, "text")
		b, slow := newBPE(piecesOf(text)), newBPE(piecesOf(text))
		for range 12 {
			p, n := mostFrequent(slow)
			if merged := b.mergeBest(); merged != (n >= minPairCount) {
				t.Fatalf("mergeBest() = %v, and %v occurs %d times", merged, p, n)
			} else if !merged {
				return
			}
			slow.merge(p)
			if diff := cmp.Diff(slow.spelling, b.spelling); diff != "" {
				t.Fatalf("tokens (-recounted +got):\n%s", diff)
			}
		}
	})
}

func TestTrainIsReproducible(t *testing.T) {
	t.Parallel()
	long, err := os.ReadFile("testdata/gpt2/long_text.txt")
	if err != nil {
		t.Fatal(err)
	}
	first, err := Train(texts(string(long)), 1000)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Train(texts(string(long)), 1000)
	if err != nil {
		t.Fatal(err)
	}
	if string(first) != string(second) {
		t.Error("Train gave two files for one text")
	}
	tok := loadBytes(t, first)
	if tok.Size() != 1000 {
		t.Errorf("Size() = %d, want 1000", tok.Size())
	}
	ids := tok.Encode(string(long))
	if tok.Decode(ids) != string(long) || len(ids) > len(long)/2 {
		t.Errorf("%d bytes became %d ids; the text comes back: %v", len(long), len(ids), tok.Decode(ids) == string(long))
	}
	if _, err := Train(texts("too little"), 1000); err == nil || !strings.Contains(err.Error(), "tokens worth learning") {
		t.Errorf("Train of too little text = %v", err)
	}
}

func texts(list ...string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, text := range list {
			if !yield(text, nil) {
				return
			}
		}
	}
}

func piecesOf(text string) map[string]int {
	pieces := map[string]int{}
	for text != "" {
		n := nextPiece(text)
		pieces[text[:n]]++
		text = text[n:]
	}
	return pieces
}

// mostFrequent counts the pairs of every word anew.
func mostFrequent(b *bpe) (pair, int) {
	counts := map[pair]int{}
	for _, w := range b.words {
		for i := 0; i+1 < len(w.ids); i++ {
			counts[pair{w.ids[i], w.ids[i+1]}] += w.count
		}
	}
	best := countedPair{}
	for p, n := range counts {
		if q := (pairQueue{{p, n}, best}); best.count == 0 || q.Less(0, 1) {
			best = q[0]
		}
	}
	return best.pair, best.count
}

func loadBytes(t *testing.T, tokenizerJSON []byte) *Tokenizer {
	t.Helper()
	tok, err := Load(fstest.MapFS{"tokenizer.json": {Data: tokenizerJSON}})
	if err != nil {
		t.Fatal(err)
	}
	return tok
}
