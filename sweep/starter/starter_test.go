package starter_test

import (
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/grid"
	"github.com/ranksweep/ranksweep/sweep/starter"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

var update = flag.Bool("update", false, "rewrite the golden files") //nolint:gochecknoglobals // a flag

// chats are 1000 rows of 1 to 400 ids, and one of 3000.
func chats() starter.Facts {
	lengths := make([]int, 0, 1001)
	for i := range 1000 {
		lengths = append(lengths, 1+i*400/1000)
	}
	lengths = append(lengths, 3000)
	return starter.Facts{
		Name: "small-chats", Model: "acme/small", Data: []string{"chats.jsonl"}, Params: 135e6, Positions: 2048, MostRank: 576,
		Rows:   starter.Rows{Count: len(lengths), Lengths: lengths, Complete: true},
		Budget: 2 * time.Hour, Memory: 8 << 30,
	}
}

// measured is a machine on which a step takes so many seconds at every rank.
func measured(c starter.Choice, step float64, bytes int64) starter.Measured {
	low := sweep.Measurement{Rank: c.Ranks[0], Startup: 4, EvalSeconds: 4 * step, StepSeconds: step, Bytes: bytes}
	high := low
	high.Rank, high.Bytes = c.Ranks[len(c.Ranks)-1], bytes+bytes/10
	return starter.Measured{Ends: sweep.MeasuredEnds{Low: low, High: high}, Jobs: 2, TrainRows: 900}
}

func TestGrid(t *testing.T) {
	t.Parallel()
	c := starter.Begin(chats())
	fitted, err := c.Fit(measured(c, 1.5, 3<<30))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "chats.yaml")
	if *update {
		if err := os.WriteFile(path, []byte(fitted.Grid()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := fitted.Grid(); got != string(want) {
		t.Errorf("grid:\n%s\nwant\n%s", got, want)
	}
}

func TestSequenceLength(t *testing.T) {
	t.Parallel()
	text := func(tokens int64, positions int) starter.Facts {
		return starter.Facts{Positions: positions, MostRank: 8, Rows: starter.Rows{Packed: tokens, Complete: true}}
	}
	rows := func(positions int, lengths ...int) starter.Facts {
		return starter.Facts{Positions: positions, MostRank: 8, Rows: starter.Rows{Count: len(lengths), Lengths: lengths, Complete: true}}
	}
	for _, c := range []struct {
		name string
		f    starter.Facts
		want int
	}{
		{"a book", text(1e6, 1024), 256},
		{"a page", text(3000, 1024), 32},
		{"a model of few positions", text(1e6, 128), 128},
		{"rows of one length", rows(1024, 100, 100, 100), 128},
		{"the longest is near the rest", rows(1024, 100, 110, 120), 128},
		{"short rows", rows(1024, 3, 4, 5), 32},
		{"long rows", rows(8192, 5000, 6000, 7000), 1024},
		{"rows beyond the model", rows(512, 600, 700), 512},
	} {
		if got := starter.Begin(c.f).SequenceLength; got != c.want {
			t.Errorf("%s: sequence_length %d, want %d", c.name, got, c.want)
		}
	}
	if got := starter.Begin(chats()).SequenceLength; got != 384 {
		t.Errorf("chats: sequence_length %d, want 384: 95 %% of the rows are at most 380 long", got)
	}
}

// Whatever the machine, the grid is one, and fits into time and memory where it says so.
func TestFit(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		f := chats()
		f.Budget = time.Duration(1+random.IntN(600)) * time.Minute
		f.MostRank = 1 << random.IntN(9)
		f.Memory = int64(1+random.IntN(16)) << 30
		c := starter.Begin(f)
		m := measured(c, 0.01*float64(1+random.IntN(2000)), int64(1+random.IntN(8))<<30)
		fitted, err := c.Fit(m)
		if err != nil {
			if !errors.Is(err, trial.ErrInput) || m.Ends.Low.Bytes <= f.Memory {
				t.Fatalf("memory %d, rank 1 needs %d: %v", f.Memory, m.Ends.Low.Bytes, err)
			}
			continue
		}
		if _, err := grid.Parse("grid.yaml", []byte(fitted.Grid())); err != nil {
			t.Fatalf("%v:\n%s", err, fitted.Grid())
		}
		if fitted.Fits && (fitted.Seconds > f.Budget.Seconds() || fitted.Steps < 100) {
			t.Errorf("fits: %g s of %s with %d steps", fitted.Seconds, f.Budget, fitted.Steps)
		}
		if fitted.Fits != strings.Contains(fitted.Grid(), "limits:") {
			t.Errorf("fits %v, but the grid is\n%s", fitted.Fits, fitted.Grid())
		}
		if !slices.IsSorted(fitted.Ranks) || fitted.Ranks[len(fitted.Ranks)-1] > f.MostRank || fitted.PeakBytes > f.Memory {
			t.Errorf("ranks %v of at most %d, peak %d of %d", fitted.Ranks, f.MostRank, fitted.PeakBytes, f.Memory)
		}
	}
}

// More time never makes a smaller grid.
func TestMoreTimeIsMoreGrid(t *testing.T) {
	t.Parallel()
	f := chats()
	trials, steps := 0, 0
	for minutes := 1; minutes < 3000; minutes += 7 {
		f.Budget = time.Duration(minutes) * time.Minute
		c := starter.Begin(f)
		fitted, err := c.Fit(measured(c, 2, 3<<30))
		if err != nil {
			t.Fatal(err)
		}
		now := len(fitted.Ranks) * fitted.Seeds
		if now < trials || now == trials && fitted.Steps < steps {
			t.Fatalf("%d minutes: %d trials of %d steps, with less time %d of %d", minutes, now, fitted.Steps, trials, steps)
		}
		trials, steps = now, fitted.Steps
	}
	if trials != 21 || steps != 338 {
		t.Errorf("with much time %d trials of %d steps, want 21 of 338: three epochs of 900 rows", trials, steps)
	}
}

// TestSmaller: what does not fit into memory is tried with smaller batches, and at last with gradient checkpointing.
func TestSmaller(t *testing.T) {
	t.Parallel()
	c, sizes := starter.Begin(chats()), []int{}
	over := func(c starter.Choice) starter.Measured { return measured(c, 1.5, 10<<30) }
	for ok := true; ok; c, ok = c.Smaller(over(c)) {
		if c.BatchSize*c.Accumulation != 8 || c.GradientCheckpointing != (len(sizes) > 3) {
			t.Errorf("batch %d with accumulation %d, checkpointing %t", c.BatchSize, c.Accumulation, c.GradientCheckpointing)
		}
		sizes = append(sizes, c.BatchSize)
	}
	if !slices.Equal(sizes, []int{8, 4, 2, 1, 1}) {
		t.Errorf("batches %v", sizes)
	}
	_, err := c.Fit(over(c))
	const want = "one trial of rank 1 with 1 sequence of 384 tokens and gradient checkpointing needs 10 GiB, and there are 8 GiB"
	if !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), want) {
		t.Errorf("Fit = %v, want %q", err, want)
	}
	fitted, err := c.Fit(measured(c, 1.5, 4<<30))
	if err != nil {
		t.Fatal(err)
	}
	const key = "  # without it a trial of rank 1 would need 10 GiB, and there are 8 GiB; it computes each block once more " +
		"and so takes longer\n" +
		"  gradient_checkpointing: true\n"
	if !strings.Contains(fitted.Grid(), key) {
		t.Errorf("the grid lacks %q:\n%s", key, fitted.Grid())
	}
	if _, err := grid.Parse("grid.yaml", []byte(fitted.Grid())); err != nil {
		t.Error(err)
	}
}

// Names that YAML would read as something else are quoted.
func TestNamesSurvive(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"my notes.txt", "true", "3", "a: b", "#x", "data: [1]", "ä.txt", `quote"d.txt`, "-", "c:/x"} {
		f := chats()
		f.Model, f.Data = name, []string{name, "b.txt"}
		g, err := grid.Parse("grid.yaml", []byte(starter.Begin(f).Grid()))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := g.Resolve("/").Models(); len(got) != 1 || got[0] != trial.ResolveModel("/", name) {
			t.Errorf("model %q became %q", name, got)
		}
	}
}
