package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/ranksweep/ranksweep/trainer/model"
)

// peaks is what to hold predictions against, with what.
type peaks struct {
	program, backend, only, keep string
	stderr                       io.Writer
}

// runMemory trains one short trial of every shape through the program, and prints what it was predicted to need beside what it did.
func runMemory(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	p := peaks{stderr: stderr}
	f := flag.NewFlagSet("bench memory", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&p.program, "sweep", "bin/sweep", "our program")
	f.StringVar(&p.backend, "backend", "xla:cpu", "as for sweep --backend")
	f.StringVar(&p.only, "only", "", "shapes whose name has this in it")
	f.StringVar(&p.keep, "keep", "", "folder to leave grids and attempts in")
	if err := f.Parse(args); err != nil {
		return err
	}
	m, err := readMachine()
	if err != nil {
		return err
	}
	rows := table{{"shape", "", "predicted", "measured", "ratio"}}
	within, tested := 0, 0
	for _, s := range memoryShapes() {
		if !strings.Contains(s.Name, p.only) {
			continue
		}
		found, err := p.measure(ctx, s)
		if errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintf(stderr, "SKIPPED %s: %v\n", s.Name, err)
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		fmt.Fprintf(stderr, "%s: predicted %s, measured %s, %.3f\n", s.Name, mebibytes(found.Predicted), mebibytes(found.Peak), found.ratio())
		use := "fitted"
		if !s.Fit {
			use = "test"
			tested++
			if math.Abs(found.ratio()-1) <= 0.1 {
				within++
			}
		}
		rows = append(rows, []string{s.Name, use, mebibytes(found.Predicted), mebibytes(found.Peak), fmt.Sprintf("%.2f", found.ratio())})
	}
	return writeSection(stdout, "predicted beside measured peak of host memory, MiB", m, rows,
		fmt.Sprintf("%d of %d test shapes within 10 %%", within, tested))
}

// peak is what a trial was predicted to need, and what it did.
type peak struct {
	Predicted int64 `json:"predicted_bytes"`
	Peak      int64 `json:"peak_host_bytes"`
}

func (p peak) ratio() float64 { return float64(p.Predicted) / float64(p.Peak) }

func mebibytes(n int64) string { return fmt.Sprintf("%.0f", float64(n)/(1<<20)) }

// measure runs one shape in a folder of its own.
func (p peaks) measure(ctx context.Context, s memoryShape) (found peak, err error) {
	dir, err := os.MkdirTemp(p.keep, "memory-")
	if err != nil {
		return peak{}, err
	}
	if p.keep == "" {
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	grid, err := s.prepareGrid(dir)
	if err != nil {
		return peak{}, err
	}
	out := filepath.Join(dir, "report.json")
	cmd := exec.CommandContext(ctx, p.program, "run", grid, "--quiet", "--root", filepath.Join(dir, "root"), "--backend", p.backend,
		"--jobs", "1", "--output", "json", "--out", out)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it ends its workers
	if said, err := cmd.CombinedOutput(); err != nil {
		return peak{}, fmt.Errorf("run %s: %w\n%s", p.program, err, said)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		return peak{}, err
	}
	return readPeak(text)
}

// readPeak reads the only trial of a report.
func readPeak(report []byte) (peak, error) {
	var r struct {
		Ladders []struct {
			Rungs []struct {
				Trials []peak `json:"trials"`
			} `json:"rungs"`
		} `json:"ladders"`
	}
	if err := json.Unmarshal(report, &r); err != nil {
		return peak{}, err
	}
	for _, l := range r.Ladders {
		for _, rung := range l.Rungs {
			for _, t := range rung.Trials {
				if t.Predicted > 0 && t.Peak > 0 {
					return t, nil
				}
			}
		}
	}
	return peak{}, errors.New("the report has no trial with a predicted and a measured peak")
}

const (
	memoryRows      = 16    // of random ids, that models other than the embedded train on, and half as many to evaluate
	smolLM2FileSize = 49152 // ids of its vocabulary
)

// prepareGrid writes the grid, and where it needs them random weights and rows.
func (s memoryShape) prepareGrid(dir string) (string, error) {
	ref, vocab := s.Model, 0
	var err error
	switch {
	case strings.HasPrefix(s.Model, "{"):
		ref = filepath.Join(dir, "model")
		vocab, err = s.randomModel(ref)
	case !strings.HasPrefix(s.Model, "builtin:"):
		vocab = smolLM2FileSize
		if ref, err = filepath.Abs(s.Model); err == nil {
			_, err = os.Stat(ref)
		}
	}
	if err != nil {
		return "", err
	}
	data := "  train: builtin:go-doc\n  validation_split: 0.1\n  validation_sequences: 32\n"
	if vocab > 0 {
		data = fmt.Sprintf("  train: %[1]s/train.jsonl\n  validation: %[1]s/validation.jsonl\n", dir)
		if err := s.writeRandomRows(dir, vocab); err != nil {
			return "", err
		}
	}
	path := filepath.Join(dir, "grid.yaml")
	return path, os.WriteFile(path, []byte(s.grid(ref, data)), 0o600)
}

// randomModel writes a model with random weights and returns the size of its vocabulary.
func (s memoryShape) randomModel(dir string) (vocab int, err error) {
	config, err := model.ParseConfig([]byte(s.Model))
	if err != nil {
		return 0, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return 0, err
	}
	return config.VocabSize, writeBase(dir, []byte(s.Model), config, config.InitWeights(1))
}

func (s memoryShape) writeRandomRows(dir string, vocab int) error {
	draw := rand.New(rand.NewPCG(1, 1))
	for name, n := range map[string]int{"train.jsonl": memoryRows, "validation.jsonl": memoryRows / 2} {
		var lines bytes.Buffer
		encoder := json.NewEncoder(&lines)
		for _, row := range randomRows(draw, n, s.Length, vocab) {
			if err := encoder.Encode(map[string][]int32{"input_ids": row}); err != nil {
				return err
			}
		}
		if err := os.WriteFile(filepath.Join(dir, name), lines.Bytes(), 0o600); err != nil {
			return err
		}
	}
	return nil
}
