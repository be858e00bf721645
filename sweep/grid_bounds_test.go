package sweep_test

import (
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep"
)

// minimal is the shortest valid grid.
const minimal = `model: builtin:gopher
data: {train: a.txt, validation: b.txt, sequence_length: 64}
lora: {rank: [1, 2], alpha: 16, target_modules: [c_attn]}
train: {steps: 10}
`

func TestParseGridBounds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, file, text, want string }{
		{"too long", "g.yaml", minimal + "# " + strings.Repeat("x", 64<<10), "g.yaml: the file has 65698 bytes; a grid has at most 65536"},
		{
			"a file name that makes no sweep name", "my grid!.yaml", minimal,
			"my grid!.yaml:1:1: the file's name makes no sweep name; write name: with letters, digits, '.', '_' and '-'",
		},
		{"only the first problems", "g.yaml", strings.Repeat("zzzzz: 1\n", 30), "g.yaml: and 16 more problems"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := sweep.ParseGrid(tt.file, []byte(tt.text))
			if err == nil || !strings.HasSuffix(err.Error(), tt.want) {
				t.Errorf("ParseGrid = %v, want an error that ends in %s", err, tt.want)
			}
		})
	}
}

// Whatever the bytes, ParseGrid ends with a grid or with problems of that file, and a grid it accepts can be hashed, be
// compared with itself and be expanded.
func FuzzParseGrid(f *testing.F) {
	for _, text := range badGrids(f) {
		f.Add(text)
	}
	f.Add([]byte(minimal))
	f.Fuzz(func(t *testing.T, text []byte) {
		g, err := sweep.ParseGrid("f.yaml", text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f.yaml") {
				t.Errorf("error %q does not name the file", err)
			}
			return
		}
		if diff := g.Diff(g); len(diff) > 0 || g.Hash() == "" {
			t.Errorf("differs from itself: %v", diff)
		}
		models := map[string]sweep.ModelInfo{}
		for _, ref := range g.Models("/grids") {
			models[ref] = sweep.ModelInfo{Modules: gpt2Modules(2, 8), MaxPositions: 128}
		}
		if _, _, err := g.Expand("/grids", models); err != nil && !strings.HasPrefix(err.Error(), "f.yaml:") {
			t.Errorf("Expand: error %q does not name a place", err)
		}
	})
}
