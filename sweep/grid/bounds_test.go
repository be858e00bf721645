package grid_test

import (
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/grid"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// minimal is the shortest valid grid.
const minimal = `model: builtin:gopher
data: {train: a.txt, validation: b.txt, sequence_length: 64}
lora: {rank: [1, 2], alpha: 16, target_modules: [c_attn]}
train: {steps: 10}
`

func TestParseBounds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, file, text, want string }{
		{
			"too long", "g.yaml", minimal + "# " + strings.Repeat("x", grid.MaxBytes),
			"g.yaml: the file has more than 65536 bytes, the most that a grid may have",
		},
		{
			"a file name that makes no sweep name", "my grid!.yaml", minimal,
			"my grid!.yaml:1:1: the file's name makes no sweep name; write name: with at most 240 letters, digits, '.', '_' and '-', " +
				"the first not '-'",
		},
		{"the longest name", "g.yaml", "name: " + strings.Repeat("a", 240) + "\n" + minimal, ""},
		{
			"a name that is too long for a file's", "g.yaml", "name: " + strings.Repeat("a", 241) + "\n" + minimal,
			"want a name of at most 240 letters, digits, '.', '_' and '-', the first not '-'",
		},
		{
			"a file name that is too long for a sweep's", strings.Repeat("a", 241) + ".yaml", minimal,
			".yaml:1:1: the file's name makes no sweep name; write name: with at most 240 letters, digits, '.', '_' and '-', the first not '-'",
		},
		{"only the first problems", "g.yaml", strings.Repeat("zzzzz: 1\n", 30), "g.yaml: and more problems; fix these first"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := grid.Parse(tt.file, []byte(tt.text))
			if (err == nil) != (tt.want == "") || err != nil && !strings.HasSuffix(err.Error(), tt.want) {
				t.Errorf("Parse = %v, want an error that ends in %s", err, tt.want)
			}
		})
	}
}

// The parser's time must not explode on any small file: these took seconds or the whole stack in one YAML library or another.
func TestParseHostile(t *testing.T) {
	t.Parallel()
	staircase := func(indent int) string {
		var b strings.Builder
		for i := 0; b.Len() < 60<<10; i++ {
			b.WriteString(strings.Repeat(" ", i*indent) + "a:\n")
		}
		return b.String()
	}
	for name, text := range map[string]string{
		"staircase":          staircase(1),
		"flat keys":          strings.Repeat("a: 1\n", 12<<10),
		"long flow list":     "a: [" + strings.Repeat("1,", 30<<10) + "1]",
		"flow mappings":      "a: [" + strings.Repeat("{a: 1},", 8<<10) + "1]",
		"colons":             strings.Repeat("a:", 30<<10),
		"question marks":     strings.Repeat("? ", 30<<10),
		"open quotes":        strings.Repeat("'", 60<<10),
		"double quotes":      "a: \"" + strings.Repeat("\\\"", 30<<10),
		"block text":         "a: |\n" + strings.Repeat("  x\n", 15<<10),
		"comments":           strings.Repeat("#\n", 30<<10),
		"documents":          strings.Repeat("---\n", 15<<10),
		"open brackets":      strings.Repeat("[", 60<<10),
		"closing brackets":   strings.Repeat("]", 60<<10),
		"lists in lists":     strings.Repeat("- ", 30<<10),
		"more than an int32": minimal + "seeds: [" + strings.Repeat("1, ", 20<<10) + "1]",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := grid.Parse("h.yaml", []byte(text)); err == nil {
				t.Error("Parse accepts it")
			}
		})
	}
}

// Whatever the bytes, Parse ends with a grid or with problems of that file, and a grid it accepts can be hashed, be
// compared with itself and be expanded.
func FuzzParse(f *testing.F) {
	for _, text := range badGrids(f) {
		f.Add(text)
	}
	f.Add([]byte(minimal))
	f.Fuzz(func(t *testing.T, text []byte) {
		g, err := grid.Parse("f.yaml", text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f.yaml") {
				t.Errorf("error %q does not name the file", err)
			}
			return
		}
		if diff := g.Diff(g); len(diff) > 0 || g.Hash() == "" {
			t.Errorf("differs from itself: %v", diff)
		}
		models := map[string]trial.ModelInfo{}
		r := g.Resolve("/grids")
		for _, ref := range r.Models() {
			models[ref] = trial.ModelInfo{Modules: sweeptest.GPT2Modules(2, 8), MaxPositions: 128}
		}
		if _, _, err := r.Expand(models); err != nil && !strings.HasPrefix(err.Error(), "f.yaml:") {
			t.Errorf("Expand: error %q does not name a place", err)
		}
	})
}
