package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/grid"
)

// TestMain is also the program of our side: the benchmark runs itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == sideOurs {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestTableHasMediansAndPairedRatios(t *testing.T) {
	t.Parallel()
	s := shape{Batch: 2, Length: 50, HeldOut: 8}
	one := func(step, eval float64, gigabytes int64) measurement {
		return measurement{
			StepSeconds: []float64{step, step / 2, 9 * step}, EvalSeconds: []float64{eval, eval},
			PeakBytes: gigabytes * 1e9, EvalPeakBytes: gigabytes * 2e9,
		}
	}
	compiled := one(1, 1, 4)
	compiled.CompileSeconds = 12.34
	b := bench{dtypes: []string{"float32"}, sides: sides(), common: common{rounds: 3}}
	got := b.table(s, map[variant][]measurement{
		{"float32", sideOurs}: {one(1, 1, 1), one(2, 2, 1), one(0.5, 4, 1)}, // 100, 50 and 200 tokens/s
		// Half as fast in each round but the last: the ratio of the medians would be 4, and says less.
		{"float32", sideEager}:   {one(2, 2, 2), one(4, 4, 4), one(4, 4, 2)},
		{"float32", sideCompile}: {compiled, one(1, 1, 4), one(1, 1, 4)},
	}).String()
	want, err := os.ReadFile("testdata/table.md") // computed by hand
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func TestVerdictTableHasMediansAndPairedRatios(t *testing.T) {
	t.Parallel()
	our := []result{{Seconds: 10}, {Seconds: 20}, {Seconds: 40, Trials: 10, ValLoss: 4.5, Rank: 8}}
	their := []result{{Seconds: 30}, {Seconds: 40}, {Seconds: 160, Trials: 14, ValLoss: 4.51, Rank: 16}}
	want := `| side | wall time, s | it ÷ ours | trials that count | lowest val_loss of a rank |
|---|---|---|---|---|
| sweep run | 20 (10–40) | 1.00 (1.00–1.00) | 10 | 4.5000 at rank 8 |
| a plain PEFT loop over all | 40 (30–160) | 3.00 (2.00–4.00) | 14 | 4.5100 at rank 16 |
`
	if diff := cmp.Diff(want, verdictTable([]side{{"sweep run", our}, {"a plain PEFT loop over all", their}}).String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func TestOfAnEvenNumberTheMedianIsTheMeanOfTheMiddleTwo(t *testing.T) {
	t.Parallel()
	if got := median([]float64{4, 1, 3, 100}); got != 3.5 {
		t.Errorf("median(4, 1, 3, 100) = %v, want 3.5", got)
	}
}

func TestReportsCountTrialsOfTunedRungsOnce(t *testing.T) {
	t.Parallel()
	got, err := readReport([]byte(`{"recommendation": {"summary": "rank 1"}, "ladders": [{"rungs": [
		{"rank": 1, "val_loss": {"mean": 4.5}, "trials": [{"val_loss": 4.5}, {"val_loss": 4.5}, {"val_loss": null}]},
		{"rank": 2, "val_loss": {"mean": 4.7}, "trials": [{"val_loss": 4.7}],
			"candidates": [{"trials": [{"val_loss": 4.7}]}, {"trials": [{"val_loss": 4.8}]}]},
		{"rank": 4, "val_loss": null, "trials": [{"val_loss": null}]}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(result{Trials: 4, ValLoss: 4.5, Rank: 1, Recommendation: "rank 1"}, got); diff != "" {
		t.Errorf("readReport (-want +got):\n%s", diff)
	}
}

func TestSidesMustComputeTheSameLoss(t *testing.T) {
	t.Parallel()
	b := bench{sides: []string{sideOurs, sideEager}}
	for name, tt := range map[string]struct {
		dtype       string
		first, eval float64 // eager's
		want        string
	}{
		"rounding":                {"float32", 4.0001, 4.01, ""},
		"another first loss":      {"float32", 4.001, 4, "the first loss"},
		"bfloat16 rounds more":    {"bfloat16", 4.001, 4, ""},
		"another loss at last":    {"float32", 4, 4.1, "the evaluation's loss"},
		"not a number":            {"bfloat16", nan(), 4, "the first loss"},
		"far off in bfloat16":     {"bfloat16", 4.1, 4, "the first loss"},
		"another bf16 evaluation": {"bfloat16", 4, 3.9, "the evaluation's loss"},
	} {
		err := b.sameLoss(tt.dtype, map[variant][]measurement{
			{tt.dtype, sideOurs}: {{FirstLoss: 4, EvalLoss: 4}}, {tt.dtype, sideEager}: {{FirstLoss: tt.first, EvalLoss: tt.eval}},
		})
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: sameLoss = %v, want %q", name, err, tt.want)
		}
	}
}

func nan() float64 { zero := 0.0; return zero / zero }

func TestMachineIsNamedWithItsInstructionSets(t *testing.T) {
	t.Parallel()
	m := parseCPU("processor\t: 0\ncpu family\t: 6\nmodel\t\t: 207\nmodel name\t: Some Xeon\nstepping\t: 2\n" +
		"flags\t\t: fpu avx avx2 avx512f avx512_bf16 amx_bf16 amx_tile\n\nprocessor\t: 1\nmodel name\t: another\n")
	m.cores, m.load = 2, "0.50 0.90 1.00"
	want := "Some Xeon (family 6, model 207, stepping 2), 2 cores; instruction sets avx2 avx512f avx512_bf16 amx_tile amx_bf16; " +
		"lacks avx512_fp16 amx_int8 amx_fp16; load average at the start 0.50 0.90 1.00"
	if got := m.String(); got != want {
		t.Errorf("machine = %s, want %s", got, want)
	}
	m.load = "0.51 0 0"
	if got := m.String(); !strings.Contains(got, "THE MACHINE WAS BUSY") {
		t.Errorf("machine under load = %s", got)
	}
	var warned bytes.Buffer
	if m.warn(&warned); !strings.Contains(warned.String(), "0.51") {
		t.Errorf("warning = %q", warned.String())
	}
}

// TestSmokeBesidePEFT runs the tiny shape: ours everywhere, PyTorch's sides where SWEEP_PYTHON names an interpreter that has them.
func TestSmokeBesidePEFT(t *testing.T) {
	t.Chdir("../..")
	args, with := []string{"-shapes", smoke, "-rounds", "1", "-backend", "auto"}, sides()
	if python := os.Getenv("SWEEP_PYTHON"); python != "" {
		args = append(args, "-python", python)
	} else {
		t.Log("SWEEP_PYTHON is not set: our side only")
		with = with[:1]
	}
	var out, said bytes.Buffer
	if err := run(t.Context(), append(args, "-sides", strings.Join(with, ",")), &out, &said); err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	for _, dtype := range dtypes() {
		for _, side := range with {
			if want := "| " + dtype + " | " + side + " | "; strings.Count(out.String(), want) != 1 {
				t.Errorf("no line %q in\n%s", want, out.String())
			}
		}
	}
	if !strings.Contains(out.String(), "load average at the start") {
		t.Errorf("no machine in\n%s", out.String())
	}
}

// TestVerdictBesidePEFT runs a tiny grid on both sides.
func TestVerdictBesidePEFT(t *testing.T) {
	python := os.Getenv("SWEEP_PYTHON")
	if python == "" {
		t.Skip("SWEEP_PYTHON is not set: it names an interpreter with torch, transformers and peft")
	}
	t.Chdir("../..")
	dir := t.TempDir()
	program := filepath.Join(dir, "sweep")
	if out, err := exec.Command("go", "build", "-o", program, "./cmd/sweep").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	grid := filepath.Join(dir, "grid.yaml")
	text := `{model: "builtin:gopher", data: {train: "builtin:go-doc", validation_split: 0.1, validation_sequences: 40, sequence_length: 32},
lora: {rank: [1, 2], alpha: 16, target_modules: [c_attn]}, train: {steps: 4, batch_size: 4, learning_rate: 0.003}, seeds: [0, 1]}`
	if err := os.WriteFile(grid, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing.yaml")
	if err := os.WriteFile(missing, []byte(strings.Replace(text, "builtin:gopher", "missing.gguf", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, said bytes.Buffer
	args := []string{"sweep", "-grids", grid + "," + missing, "-python", python, "-sweep", program, "-backend", "auto"}
	if err := run(t.Context(), args, &out, &said); err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	t.Log(out.String())
	if got := strings.Count(out.String(), " | 4 | "); got != 2 {
		t.Errorf("%d sides trained the grid's 4 trials, want 2:\n%s", got, out.String())
	}
	if want := "SKIPPED " + missing; !strings.Contains(said.String(), want) {
		t.Errorf("stderr has no %q:\n%s", want, said.String())
	}
}

// TestMemoryShapes: every shape is a grid that sweep takes, and no shape that tests the prediction was used to fit it.
func TestMemoryShapes(t *testing.T) {
	t.Parallel()
	names, tests := map[string]bool{}, 0
	for _, s := range memoryShapes() {
		if names[s.Name] {
			t.Errorf("two shapes are called %s", s.Name)
		}
		names[s.Name] = true
		if !s.Fit {
			tests++
		}
		if _, err := grid.Parse("grid.yaml", []byte(s.grid("builtin:gopher", "  train: rows.jsonl\n  validation: more.jsonl\n"))); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
	}
	if tests < 12 {
		t.Errorf("%d shapes test the prediction, want 12", tests)
	}
}

func TestReadPeak(t *testing.T) {
	t.Parallel()
	const trial = `{"ladders": [{"rungs": [{"trials": [{"predicted_bytes": 90, "peak_host_bytes": %s}]}]}]}`
	if p, err := readPeak(fmt.Appendf(nil, trial, "100")); err != nil || p.ratio() != 0.9 {
		t.Errorf("ratio %v, %v", p.ratio(), err)
	}
	if p, err := readPeak(fmt.Appendf(nil, trial, "null")); err == nil {
		t.Errorf("a report without a peak has %+v", p)
	}
}
