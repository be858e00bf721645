package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/backend"
	"github.com/ranksweep/ranksweep/trainer/planted"
)

// settings are the command line.
type settings struct {
	rank       int
	norm       float64
	targets    string
	rows       int
	validation int
	length     int
	seed       int64
	out        string
}

func main() {
	var s settings
	flag.IntVar(&s.rank, "rank", 8, "rank of the teacher's adapter; 0 means none")
	flag.Float64Var(&s.norm, "norm", 1, "root mean square of what each direction of the adapter adds to a module's output")
	flag.StringVar(&s.targets, "targets", "all-linear", "modules that the adapter changes: a name's end, a regular expression or all-linear")
	flag.IntVar(&s.rows, "rows", 8192, "training rows")
	flag.IntVar(&s.validation, "validation", 512, "validation rows")
	flag.IntVar(&s.length, "length", 64, "ids in a row")
	flag.Int64Var(&s.seed, "seed", 0, "seed of the adapter and of the rows")
	flag.StringVar(&s.out, "out", "", "folder for train.jsonl, validation.jsonl and the teacher's adapter")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, s, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "planted: "+err.Error())
		os.Exit(1) //nolint:gocritic // stop frees nothing that outlives the process
	}
}

func run(ctx context.Context, s settings, w io.Writer) error {
	if s.out == "" {
		return errors.New("say where to with -out")
	}
	choice, err := backend.Resolve(ctx, "auto")
	if err != nil {
		return err
	}
	info, err := trainer.Inspect(ctx, "builtin:gopher", trainer.InspectOptions{})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.out, 0o755); err != nil {
		return err
	}
	targets, err := s.modules(info)
	if err != nil {
		return err
	}
	adapter := ""
	if s.rank > 0 {
		adapter = filepath.Join(s.out, "teacher")
	}
	rows, err := planted.Rows(ctx, planted.Options{
		Model: info, Teacher: planted.Teacher{Targets: targets, Rank: s.rank, Norm: s.norm, Seed: s.seed}, AdapterDir: adapter,
		Rows: s.validation + s.rows, Length: s.length, Seed: s.seed, Backend: choice,
		Progress: func(done int) { fmt.Fprintf(os.Stderr, "\r%d of %d rows", done, s.validation+s.rows) },
	})
	fmt.Fprintln(os.Stderr)
	if err != nil {
		return err
	}
	validation := filepath.Join(s.out, "validation.jsonl")
	if err := errors.Join(write(validation, rows[:s.validation]),
		write(filepath.Join(s.out, "train.jsonl"), rows[s.validation:])); err != nil {
		return err
	}
	return s.report(ctx, w, info, choice, adapter, validation)
}

// modules are those that the teacher's adapter changes.
func (s settings) modules(info trial.ModelInfo) ([]lora.Module, error) {
	t := lora.Targets{List: []string{s.targets}}
	if s.targets == lora.AllLinear {
		t = lora.Targets{Pattern: s.targets}
	}
	return lora.MatchTargets(info.Modules, t)
}

// report prints how far the base is from the teacher on rows it was not sampled for: what there is to learn, in nats.
func (s settings) report(ctx context.Context, w io.Writer, info trial.ModelInfo, choice backend.Choice, adapter, validation string) error {
	o := trainer.EvaluateOptions{Model: info, Data: []string{validation}, SequenceLength: s.length, BatchSize: 64, Backend: choice}
	base, err := trainer.Evaluate(ctx, o)
	if err != nil {
		return err
	}
	o.Adapter = adapter
	teacher, err := trainer.Evaluate(ctx, o)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s: rank %d, norm %g on %s; validation loss of the base %.4f, of the teacher %.4f nats\n", s.out, s.rank, s.norm,
		s.targets, base.Loss, teacher.Loss)
	return err
}

func write(path string, rows [][]int32) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	b := bufio.NewWriter(f)
	e := json.NewEncoder(b)
	for _, ids := range rows {
		err = errors.Join(err, e.Encode(map[string][]int32{"input_ids": ids}))
	}
	return errors.Join(err, b.Flush(), f.Close())
}
