package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// verdicts is what to measure to the verdict, with what.
type verdicts struct {
	common
	program string
	stderr  io.Writer
}

// runSweeps measures the time to a verdict on every grid whose model is there.
func runSweeps(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	v := verdicts{stderr: stderr}
	f := flag.NewFlagSet("bench sweep", flag.ContinueOnError)
	v.flags(f, 1)
	grids := f.String("grids", "experiments/quickstart.yaml,experiments/smollm2.yaml", "comma-separated grid files")
	f.StringVar(&v.program, "sweep", "bin/sweep", "our program")
	if err := v.parse(f, args, stderr); err != nil {
		return err
	}
	var err error
	if v.python, err = interpreter(ctx, v.python, stderr); err != nil {
		return err
	}
	m, err := readMachine()
	if err != nil {
		return err
	}
	m.warn(stderr)
	ran := 0
	for path := range strings.SplitSeq(*grids, ",") {
		err := v.compare(ctx, path, m, stdout)
		switch {
		case errors.Is(err, errNoModel):
			fmt.Fprintf(stderr, "SKIPPED %s: %v\n", path, err)
		case err != nil:
			return fmt.Errorf("%s: %w", path, err)
		default:
			ran++
		}
	}
	if ran == 0 {
		return errors.New("nothing was measured")
	}
	return nil
}

// result is what one side came to.
type result struct {
	Seconds        float64 `json:"-"`
	Trials         int     `json:"trials"`   // that have a loss and that the verdict asked for, scouts left out
	ValLoss        float64 `json:"val_loss"` // the lowest of a rank, mean over its seeds, to see that both sides learn the same
	Rank           int     `json:"rank"`
	Recommendation string  `json:"-"`
}

// scouted writes the grid with strategy: scout into its own folder, where its paths mean the same. A grid that has a strategy is refused.
func scouted(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if bytes.Contains(text, []byte("\nstrategy:")) {
		return "", fmt.Errorf("%s has a strategy: want a grid of a plain ladder", path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".bench-scout-*.yaml")
	if err != nil {
		return "", err
	}
	_, err = f.Write(append(text, "\nstrategy: scout\n"...))
	if err = errors.Join(err, f.Close()); err != nil {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), err
}

// compare runs all sides in turn, each from the start of its process and without anything that an earlier run left.
func (v verdicts) compare(ctx context.Context, path string, m machine, stdout io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "bench-sweep-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	job, err := prepareLoop(ctx, path, dir)
	if err != nil {
		return err
	}
	scout, err := scouted(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(scout)) }()
	sides := []side{{name: "sweep run"}, {name: "sweep run, strategy: scout"}, {name: "a plain PEFT loop over all"}}
	for i := range v.rounds {
		for s, run := range []func() (result, error){
			func() (result, error) { return v.sweep(ctx, path, filepath.Join(dir, "root-"+strconv.Itoa(i))) },
			func() (result, error) { return v.sweep(ctx, scout, filepath.Join(dir, "scout-"+strconv.Itoa(i))) },
			func() (result, error) { return v.loop(ctx, job) },
		} {
			r, err := run()
			if err != nil {
				return err
			}
			fmt.Fprintf(v.stderr, "%s, round %d of %d: %s: %.0f s\n", path, i+1, v.rounds, sides[s].name, r.Seconds)
			sides[s].all = append(sides[s].all, r)
		}
	}
	return writeVerdicts(stdout, path, m, sides)
}

// side is what one way to a verdict came to, by round.
type side struct {
	name string
	all  []result
}

// sweep runs the grid in a root that is not there yet.
func (v verdicts) sweep(ctx context.Context, path, root string) (result, error) {
	out := root + ".json"
	cmd := exec.CommandContext(ctx, v.program,
		"run", path, "--quiet", "--root", root, "--backend", v.backend, "--output", "json", "--out", out)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it ends its workers
	began := time.Now()
	said, err := cmd.CombinedOutput()
	took := time.Since(began)
	if err != nil {
		return result{}, fmt.Errorf("run %s: %w\n%s", v.program, err, said)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		return result{}, err
	}
	r, err := readReport(text)
	r.Seconds = took.Seconds()
	return r, err
}

// trials are those of a rung, or of a candidate.
type trials []struct {
	ValLoss *float64 `json:"val_loss"`
}

// trained is how many of them have a loss: the root was fresh.
func (t trials) trained() int {
	n := 0
	for _, one := range t {
		if one.ValLoss != nil {
			n++
		}
	}
	return n
}

// readReport reads what sweep report -o json prints.
func readReport(text []byte) (r result, err error) {
	type rung struct {
		Rank    int                       `json:"rank"`
		ValLoss *struct{ Mean float64 }   `json:"val_loss"`
		Trials  trials                    `json:"trials"`
		Tuned   []struct{ Trials trials } `json:"candidates"` // Trials among them
	}
	var told struct {
		Recommendation struct{ Summary string }
		Ladders        []struct{ Rungs []rung }
	}
	if err := json.Unmarshal(text, &told); err != nil {
		return result{}, fmt.Errorf("read the report: %w", err)
	}
	r.Recommendation, r.ValLoss = told.Recommendation.Summary, math.Inf(1)
	for _, l := range told.Ladders {
		for _, rung := range l.Rungs {
			n := rung.Trials.trained()
			if len(rung.Tuned) > 0 {
				n = 0
			}
			for _, c := range rung.Tuned {
				n += c.Trials.trained()
			}
			r.Trials += n
			if loss := rung.ValLoss; loss != nil && loss.Mean < r.ValLoss {
				r.ValLoss, r.Rank = loss.Mean, rung.Rank
			}
		}
	}
	return r, nil
}

// loop runs the exhaustive grid as a user of PEFT would.
func (v verdicts) loop(ctx context.Context, job string) (r result, err error) {
	began := time.Now()
	err = answer(exec.CommandContext(ctx, v.python, loopScript, job), &r)
	r.Seconds = time.Since(began).Seconds()
	return r, err
}

func writeVerdicts(w io.Writer, path string, m machine, sides []side) error {
	last := len(sides[0].all) - 1
	return writeSection(w, "Time to the verdict: "+path, m, verdictTable(sides),
		sides[0].all[last].Recommendation, "With strategy: scout: "+sides[1].all[last].Recommendation,
		fmt.Sprintf("%d rounds: median (smallest–largest), from the start of the process, sweep run in a fresh root", last+1))
}

func verdictTable(sides []side) table {
	t := table{{"side", "wall time, s", "it ÷ ours", "trials that count", "lowest val_loss of a rank"}}
	for _, side := range sides {
		last := side.all[len(side.all)-1]
		t = append(t, []string{
			side.name, spreadOf("%.0f", seconds(side.all)), spreadOf("%.2f", ratios(seconds(side.all), seconds(sides[0].all))),
			strconv.Itoa(last.Trials), fmt.Sprintf("%.4f at rank %d", last.ValLoss, last.Rank),
		})
	}
	return t
}

func seconds(all []result) []float64 {
	return values(all, func(r result) float64 { return r.Seconds })
}
