package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// Names of sides.
const (
	sideOurs    = "ours"
	sideEager   = "eager"   // PyTorch + PEFT
	sideCompile = "compile" // the same through torch.compile
)

func sides() []string { return []string{sideOurs, sideEager, sideCompile} }

// measurement is what one process reports.
type measurement struct {
	StepSeconds    []float64 `json:"step_seconds"`
	EvalSeconds    []float64 `json:"eval_seconds"`
	CompileSeconds float64   `json:"compile_seconds"` // 0 where nothing is compiled
	FirstLoss      float64   `json:"first_loss"`      // before the first update
	EvalLoss       float64   `json:"eval_loss"`       // after the last step
	PeakBytes      int64     `json:"peak_bytes"`      // of the process after the last step
	EvalPeakBytes  int64     `json:"eval_peak_bytes"` // after the evaluations that follow
	What           string    `json:"what"`
}

// bench is what to measure, with what.
type bench struct {
	common
	dtypes, sides []string
	stderr        io.Writer
}

// variant is one line of a table.
type variant struct{ dtype, side string }

// compare runs every side of a shape in turn and prints what came out.
func (b bench) compare(ctx context.Context, s shape, m machine, stdout io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "bench-"+s.Name+"-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path, err := s.prepare(dir)
	if err != nil {
		return err
	}
	measured := map[variant][]measurement{}
	for i := range b.rounds {
		for _, dtype := range b.dtypes {
			for _, side := range b.sides {
				one, err := b.measure(ctx, variant{dtype, side}, path, dir)
				if err != nil {
					return err
				}
				fmt.Fprintf(b.stderr, "%s, round %d of %d, %s %s: %.0f tokens/s, evaluation %.0f\n", s.Name, i+1, b.rounds, dtype, side,
					s.trainSpeed(one), s.evalSpeed(one))
				v := variant{dtype, side}
				measured[v] = append(measured[v], one)
			}
			if err := b.sameLoss(dtype, measured); err != nil {
				return err
			}
		}
	}
	return b.report(stdout, s, m, measured)
}

// measure runs one side in its own process. What that says on stderr is shown only if it fails.
func (b bench) measure(ctx context.Context, v variant, path, dir string) (measurement, error) {
	self, err := os.Executable()
	if err != nil {
		return measurement{}, err
	}
	cmd := exec.CommandContext(ctx, self, sideOurs, path, v.dtype, b.backend)
	cmd.Env = backend.Environment(os.Environ()) // a worker's
	if v.side != sideOurs {
		cmd = exec.CommandContext(ctx, b.python, stepScript, path, v.dtype, v.side)
		// Compiled code is kept for the next round, and for no other run: the first round tells what compiling takes.
		cmd.Env = append(os.Environ(), "TORCHINDUCTOR_CACHE_DIR="+dir+"/inductor")
	}
	var m measurement
	return m, answer(cmd, &m)
}

// answer runs a command and decodes what it prints.
func answer(cmd *exec.Cmd, to any) error {
	out, err := cmd.Output()
	if err != nil {
		var detail []byte
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			detail = exit.Stderr
		}
		return fmt.Errorf("run %s: %w\n%s", cmd.Path, err, detail)
	}
	if err := json.Unmarshal(out, to); err != nil {
		return fmt.Errorf("answer of %s: %w", cmd.Path, err)
	}
	return nil
}

// sameLoss fails where the sides do not compute the same loss before the first update, or an evaluation that is clearly another: that
// follows updates of an A that each side draws for itself.
func (b bench) sameLoss(dtype string, measured map[variant][]measurement) error {
	tolerance := 1e-4 // float32 sums in another order
	if dtype == trial.DtypeBFloat16 {
		tolerance = 5e-3 // 8 bits of mantissa, rounded at every operation
	}
	first := b.sides[0]
	want := measured[variant{dtype, first}][0]
	for _, side := range b.sides[1:] {
		got := measured[variant{dtype, side}][0]
		for _, loss := range []struct {
			name                 string
			want, got, tolerance float64
		}{
			{"the first loss", want.FirstLoss, got.FirstLoss, tolerance},
			{"the evaluation's loss", want.EvalLoss, got.EvalLoss, 1e-2},
		} {
			if !(math.Abs(loss.got-loss.want) <= loss.tolerance*math.Abs(loss.want)) {
				return fmt.Errorf("%s: %s is %.6f (%s) and %.6f (%s): they do not do the same work", dtype, loss.name, loss.want, first,
					loss.got, side)
			}
		}
	}
	return nil
}
