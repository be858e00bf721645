package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	rounds        int
	python, shape string
	backend       string
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 2 && args[0] == "ours" {
		return ours(ctx, args[1], stdout)
	}
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&o.rounds, "rounds", 5, "times that each side runs")
	f.StringVar(&o.python, "python", "", "interpreter with torch, transformers and peft (default: .venv-bench, made on first use)")
	f.StringVar(&o.shape, "shape", "", "only the shape of this name")
	f.StringVar(&o.backend, "backend", "xla:cpu", "our backend, as for sweep --backend")
	if err := f.Parse(args); err != nil {
		return err
	}
	if o.rounds < 1 {
		return fmt.Errorf("-rounds %d: want at least 1", o.rounds)
	}
	chosen := slices.DeleteFunc(shapes(), func(s shape) bool { return o.shape != "" && o.shape != s.Name })
	if len(chosen) == 0 {
		return fmt.Errorf("-shape %s: want gpt2-small or gopher", o.shape)
	}
	python, err := interpreter(ctx, o.python, stderr)
	if err != nil {
		return err
	}
	for _, s := range chosen {
		s.Backend = o.backend
		if err := compare(ctx, s, o.rounds, python, stdout, stderr); err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	return nil
}

// shape is one comparison: a GPT-2 with random weights, and LoRA on c_attn.
type shape struct {
	Name      string `json:"name"`
	Layers    int    `json:"layers"`
	Width     int    `json:"width"`
	Heads     int    `json:"heads"`
	Vocab     int    `json:"vocab"`
	Positions int    `json:"positions"`
	Batch     int    `json:"batch"`
	Length    int    `json:"length"`
	Rank      int    `json:"rank"`
	Warmup    int    `json:"warmup"` // steps that do not count
	Steps     int    `json:"steps"`
	Threads   int    `json:"threads"`
	Backend   string `json:"backend"`
}

// shapes are GPT-2 small and the embedded model, at the batches that experiments/LOG.md reports.
func shapes() []shape {
	threads := runtime.NumCPU()
	return []shape{
		{
			Name: "gpt2-small", Layers: 12, Width: 768, Heads: 12, Vocab: 50257, Positions: 1024,
			Batch: 4, Length: 128, Rank: 8, Warmup: 2, Steps: 8, Threads: threads,
		},
		{
			Name: "gopher", Layers: 4, Width: 128, Heads: 4, Vocab: 2048, Positions: 128,
			Batch: 8, Length: 64, Rank: 8, Warmup: 10, Steps: 150, Threads: threads,
		},
	}
}

// measurement is what one process reports.
type measurement struct {
	StepSeconds []float64 `json:"step_seconds"`
	FirstLoss   float64   `json:"first_loss"`
	PeakBytes   int64     `json:"peak_bytes"`
	Trainable   int64     `json:"trainable"`
	What        string    `json:"what"`
}

func (m measurement) tokensPerSecond(s shape) float64 {
	return float64(s.Batch*s.Length) / median(m.StepSeconds)
}

// compare runs both sides in turn and prints what came out.
func compare(ctx context.Context, s shape, rounds int, python string, stdout, stderr io.Writer) error {
	spec, err := json.Marshal(s)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var our, their []measurement
	for i := range rounds {
		a, err := measure(ctx, self, "ours", string(spec))
		if err != nil {
			return err
		}
		b, err := measure(ctx, python, script, string(spec))
		if err != nil {
			return err
		}
		fmt.Fprintf(stderr, "%s round %d of %d: ours %.0f tokens/s, theirs %.0f\n", s.Name, i+1, rounds, a.tokensPerSecond(s),
			b.tokensPerSecond(s))
		our, their = append(our, a), append(their, b)
	}
	return report(stdout, s, our, their)
}

// measure runs one side in its own process. What it says on stderr is shown only if it fails.
func measure(ctx context.Context, name string, args ...string) (measurement, error) {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		var detail []byte
		if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // Output returns it bare
			detail = exit.Stderr
		}
		return measurement{}, fmt.Errorf("run %s: %w\n%s", name, err, detail)
	}
	var m measurement
	if err := json.Unmarshal(out, &m); err != nil {
		return measurement{}, fmt.Errorf("answer of %s: %w", name, err)
	}
	return m, nil
}

// report prints medians over the rounds with their range, and the ratios: above 1 is better for speed, below for memory.
func report(w io.Writer, s shape, our, their []measurement) error {
	speed := func(m measurement) float64 { return m.tokensPerSecond(s) }
	memory := func(m measurement) float64 { return float64(m.PeakBytes) / 1e9 }
	_, err := fmt.Fprintf(w, `%s: %d layers, width %d, vocabulary %d, B=%d T=%d, r=%d on c_attn, float32, %d threads, %d rounds of %d steps
  ours    %s tokens/s, peak %s GB, loss of the first step %.3f (%s)
  theirs  %s tokens/s, peak %s GB, loss of the first step %.3f (%s)
  ratio   %.2f x the tokens/s, %.2f x the memory
`, s.Name, s.Layers, s.Width, s.Vocab, s.Batch, s.Length, s.Rank, s.Threads, len(our), s.Steps,
		spread("%.0f", our, speed), spread("%.2f", our, memory), our[0].FirstLoss, our[0].What,
		spread("%.0f", their, speed), spread("%.2f", their, memory), their[0].FirstLoss, their[0].What,
		middle(our, speed)/middle(their, speed), middle(our, memory)/middle(their, memory))
	return err
}

// spread writes the median with the smallest and the largest value.
func spread(format string, all []measurement, value func(measurement) float64) string {
	values := valuesOf(all, value)
	return fmt.Sprintf(format+" ("+format+"–"+format+")", median(values), slices.Min(values), slices.Max(values))
}

func middle(all []measurement, value func(measurement) float64) float64 {
	return median(valuesOf(all, value))
}

func valuesOf(all []measurement, value func(measurement) float64) []float64 {
	values := make([]float64, len(all))
	for i, m := range all {
		values[i] = value(m)
	}
	return values
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
