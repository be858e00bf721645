package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	switch {
	case len(args) == 4 && args[0] == sideOurs:
		return ours(ctx, args[1], args[2], args[3], stdout)
	case len(args) > 0 && args[0] == "sweep":
		return runSweeps(ctx, args[1:], stdout, stderr)
	case len(args) > 0 && args[0] == "memory":
		return runMemory(ctx, args[1:], stdout, stderr)
	}
	return runSteps(ctx, args, stdout, stderr)
}

// common are the options that both measurements have.
type common struct {
	rounds          int
	python, backend string
}

func (c *common) flags(f *flag.FlagSet, rounds int) {
	f.IntVar(&c.rounds, "rounds", rounds, "times that each side runs")
	f.StringVar(&c.python, "python", "", "interpreter with torch, transformers and peft (default: .venv-bench, made on first use)")
	f.StringVar(&c.backend, "backend", "xla:cpu", "our backend, as for sweep --backend")
}

func (c *common) parse(f *flag.FlagSet, args []string, stderr io.Writer) error {
	f.SetOutput(stderr)
	if err := f.Parse(args); err != nil {
		return err
	}
	switch {
	case f.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", f.Arg(0))
	case c.rounds < 1:
		return fmt.Errorf("-rounds %d: want at least 1", c.rounds)
	}
	return nil
}

// runSteps measures steps and evaluations.
func runSteps(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	known := shapes()
	b := bench{stderr: stderr}
	var shapeNames []string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	b.flags(f, 3)
	choice(f, &shapeNames, "shapes", []string{gpt2Small, smolLM2, gopher}, []string{gpt2Small, smolLM2, gopher, smoke})
	choice(f, &b.dtypes, "dtypes", dtypes(), dtypes())
	choice(f, &b.sides, "sides", sides(), sides())
	if err := b.parse(f, args, stderr); err != nil {
		return err
	}
	if slices.ContainsFunc(b.sides, func(side string) bool { return side != sideOurs }) {
		var err error
		if b.python, err = interpreter(ctx, b.python, stderr); err != nil {
			return err
		}
	}
	m, err := readMachine()
	if err != nil {
		return err
	}
	m.warn(stderr)
	for _, s := range known {
		if !slices.Contains(shapeNames, s.Name) {
			continue
		}
		if err := b.compare(ctx, s, m, stdout); err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	return nil
}

func dtypes() []string { return []string{trial.DtypeFloat32, trial.DtypeBFloat16} }

// choice is a flag that takes a list of known names.
func choice(f *flag.FlagSet, to *[]string, name string, standard, known []string) {
	*to = standard
	usage := fmt.Sprintf("comma-separated, of %s (default %s)", strings.Join(known, ", "), strings.Join(standard, ","))
	f.Func(name, usage, func(value string) error {
		*to = strings.Split(value, ",")
		for _, v := range *to {
			if !slices.Contains(known, v) {
				return fmt.Errorf("%q: want %s", v, strings.Join(known, ", "))
			}
		}
		return nil
	})
}
