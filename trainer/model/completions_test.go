package model

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// TestExactMatchIsGreedyDecoding decodes for real, token by token, and holds what Score says of completions against it.
func TestExactMatchIsGreedyDecoding(t *testing.T) {
	t.Parallel()
	const B, T, prompt = 8, 16, 5
	for name, open := range backends() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newTiny(t, open(t), readTensors(t, "testdata/lora/gpt2_c_attn_r8/seeded.safetensors"), tinyOptions(t, 8))
			random := rand.New(rand.NewPCG(3, 4))
			b := Batch{B: B, T: T, IDs: make([]int32, B*T), Labels: make([]int32, B*T)}
			for i := range b.IDs {
				b.IDs[i], b.Labels[i] = int32(random.IntN(p.config.VocabSize)), trial.IgnoredLabel
			}
			written := decode(t, p, b, prompt)
			want := int64(0)
			for row := range B {
				end := T - row // completions of several lengths, the first up to the row's end
				completion := slices.Clone(written[row][prompt:end])
				if row%3 == 0 { // one token is another than the likeliest
					at := random.IntN(len(completion))
					completion[at] = (completion[at] + 1) % int32(p.config.VocabSize)
				} else {
					want++
				}
				copy(b.IDs[row*T+prompt:], completion)
				copy(b.Labels[row*T+prompt:], completion)
			}
			got, err := p.Score(b)
			must(t, err)
			if got.Completions != B || got.ExactMatches != want {
				t.Errorf("%d of %d completions match, want %d of %d", got.ExactMatches, got.Completions, want, B)
			}
		})
	}
}

// decode goes on greedily from the first tokens of every row to its end.
func decode(t *testing.T, p *Program, b Batch, prompt int) [][]int32 {
	t.Helper()
	b.IDs = slices.Clone(b.IDs)
	at := make([]int32, b.B)
	for position := prompt; position < b.T; position++ {
		for row := range at {
			at[row] = int32(position) - 1
		}
		next, err := p.NextLogits(b, at)
		must(t, err)
		V := next.Shape[1]
		for row := range at {
			logits := next.Data[row*V : (row+1)*V]
			b.IDs[row*b.T+position] = int32(slices.Index(logits, slices.Max(logits)))
		}
	}
	return slices.Collect(slices.Chunk(b.IDs, b.T))
}

func TestCompletions(t *testing.T) {
	t.Parallel()
	const x = trial.IgnoredLabel
	for name, c := range map[string]struct {
		labels, segments []int32
		want             []span
	}{
		"text":                      {[]int32{1, 2, 3, 4}, nil, nil},
		"packed text":               {[]int32{1, 2, x, 4}, []int32{0, 0, 1, 1}, nil},
		"only the first is ignored": {[]int32{x, 2, 3, 4}, nil, nil},
		"prompt and completion":     {[]int32{x, x, 3, 4}, nil, []span{{0, 2}}},
		"padded":                    {[]int32{x, x, 3, x}, nil, []span{{0, 1}}},
		"two answers":               {[]int32{x, x, 3, x, 5}, nil, []span{{0, 1}, {1, 2}}},
		"scored, then an answer":    {[]int32{1, 2, x, 4}, nil, []span{{1, 2}}},
		"answer in the second row":  {[]int32{1, 2, 3, x, x, 6}, nil, []span{{2, 3}}},
		"cut by the row's end":      {[]int32{x, x, x, 4}, nil, []span{{0, 1}}},
		"prompt in a later segment": {[]int32{1, x, x, 4}, []int32{0, 1, 1, 1}, []span{{0, 1}}},
	} {
		b := Batch{B: 1, T: len(c.labels), IDs: make([]int32, len(c.labels)), Labels: c.labels, Segments: c.segments}
		if name == "answer in the second row" {
			b.B, b.T = 2, 3
		}
		p, err := b.plan(Config{VocabSize: 10, Positions: 8})
		must(t, err)
		if diff := cmp.Diff(c.want, p.completions(b), cmp.AllowUnexported(span{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
