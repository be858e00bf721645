package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/starter"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend/backendtest"
)

func TestInit(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	args := []string{
		"init", "--model", "builtin:gopher", "--data", "builtin:go-doc", "--no-calibrate", "--root", filepath.Join(root, "runs"),
		"-o", "json",
	}
	code, stdout, stderr := sweepCommand(t, args...)
	var view struct {
		Schema, Grid string
		Chosen       []starter.Line
		Seconds      *float64
	}
	if err := json.Unmarshal([]byte(stdout), &view); code != exitOK || err != nil {
		t.Fatalf("init: exit %d, %v\n%s", code, err, stderr)
	}
	if view.Schema != "sweep.init/v1" || len(view.Chosen) < 10 || view.Seconds != nil {
		t.Errorf("init -o json: %+v", view)
	}
	path := filepath.Join(root, "grid.yaml")
	if err := os.WriteFile(path, []byte(view.Grid), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := sweepCommand(t, "validate", path); code != exitOK || !strings.Contains(stdout, "ok") {
		t.Errorf("validate: exit %d\n%s%s", code, stdout, stderr)
	}
}

// Data whose columns have other names, and with rows that cannot be read, are no dead end.
func TestInitReadsOtherColumns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "faq.csv")
	rows := "frage;antwort\n"
	for i := range 50 {
		rows += fmt.Sprintf("Was ist %d plus 1?;Die Summe ist %d.\n", i, i+1)
	}
	rows += "nur eine Zelle\n"
	if err := os.WriteFile(path, []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"init", "--model", "builtin:gopher", "--data", path, "--no-calibrate", "--root", filepath.Join(dir, "runs")}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{nil, exitUsage, "(columns: frage, antwort)"},
		{[]string{"--columns", "prompt=frage,completion=antwort"}, exitUsage, "faq.csv:52: another number of cells"},
		{[]string{"--columns", "frage=prompt"}, exitUsage, "data.columns: "},
		{[]string{"--columns", "prompt=frage,completion=antwort", "--skip-bad-rows"}, exitOK, `columns: {completion: antwort, prompt: frage}`},
	} {
		code, stdout, stderr := sweepCommand(t, append(args, c.args...)...)
		if code != c.code || !strings.Contains(stdout+stderr, c.want) {
			t.Errorf("init %v: exit %d\n%s%s\nwant %d with %q", c.args, code, stdout, stderr, c.code, c.want)
		}
	}
}

func TestInitKeepsAFileThatIsThere(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "grid.yaml")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"init", "--model", "builtin:gopher", "--data", "builtin:go-doc", "--no-calibrate", "--out", path}
	code, _, stderr := sweepCommand(t, args...)
	text, err := os.ReadFile(path)
	if code != exitUsage || !strings.Contains(stderr, "--force") || err != nil || string(text) != "mine" {
		t.Errorf("init over a file: exit %d, %s, %q, %v", code, stderr, text, err)
	}
	if code, _, stderr := sweepCommand(t, append(args, "--force")...); code != exitOK {
		t.Errorf("init --force: exit %d, %s", code, stderr)
	}
}

func TestInitSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"want --model and --data":           {"--model", "builtin:gopher"},
		"no such model":                     {"--model", "nowhere.gguf", "--data", "builtin:go-doc"},
		"no such data file":                 {"--model", "builtin:gopher", "--data", "nowhere.jsonl"},
		"--time -5m0s: want a time such as": {"--model", "builtin:gopher", "--data", "builtin:go-doc", "--time", "-5m"},
	} {
		if code, _, stderr := sweepCommand(t, append([]string{"init"}, args...)...); code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("init %v: exit %d, %s, want %q", args, code, stderr, want)
		}
	}
}

// What a person does in the first hour, with a model folder that transformers wrote and a JSON array of alpaca rows: no step is
// refused.
func TestJourney(t *testing.T) {
	t.Parallel()
	backendtest.NeedPureGo(t)
	s := &testSweep{t: t, platform: "auto", dir: t.TempDir(), jobs: "2"}
	t.Cleanup(func() { s.killWorkers() })
	journey, err := filepath.Abs(filepath.Join("testdata", "journey"))
	if err != nil {
		t.Fatal(err)
	}
	model := filepath.Join(journey, "tiny-llama")
	must := func(args ...string) string {
		t.Helper()
		cmd := s.sweep(args...)
		var errs strings.Builder
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("sweep %s: %v\n%s%s", strings.Join(args, " "), err, out, errs.String())
		}
		return string(out)
	}
	grid := s.path("grid.yaml")
	must("init", "--model", model, "--data", filepath.Join(journey, "alpaca.json"), "--time", "2m", "--name", "test", "--out", grid)
	must("validate", grid)
	var data struct {
		Samples []struct{ Labels []int32 }
	}
	parse(t, must("data", grid, "-o", "json"), &data)
	for i, sample := range data.Samples {
		if scored := len(sample.Labels) - count(sample.Labels, trial.IgnoredLabel); scored == 0 || scored == len(sample.Labels) {
			t.Errorf("row %d: %d of %d ids are scored, want the answer's alone", i+1, scored, len(sample.Labels))
		}
	}
	must("run", grid)
	var view struct {
		Ladders []struct {
			Verdict struct {
				State string
				Rank  *int `json:"recommended_rank"`
			}
		}
	}
	parse(t, must("report", "test", "-o", "json"), &view)
	if v := view.Ladders[0].Verdict; v.Rank == nil || v.State == "incomplete" || v.State == "unstable" {
		t.Errorf("verdict %+v, want a rank", v)
	}
	adapter := s.path("adapter")
	must("export", "--to", adapter)
	var eval struct{ Loss float64 }
	evalArgs := []string{"eval", "--model", model, "--data", filepath.Join(journey, "alpaca.json"), "-o", "json"}
	parse(t, must(evalArgs...), &eval)
	base := eval.Loss
	parse(t, must(append(evalArgs, "--adapter", adapter)...), &eval)
	if !(eval.Loss < base-0.3) {
		t.Errorf("the adapter's loss is %g, the base's %g: want it far lower", eval.Loss, base)
	}
}

func parse(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
}

func count(values []int32, value int32) (n int) {
	for _, v := range values {
		if v == value {
			n++
		}
	}
	return n
}
