package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// exported is `sweep export -o json`.
type exported struct {
	Schema, Path, Sweep, Trial string
	Ladder, Rank, Step         int
	Seed                       int64
	ValLoss                    float64 `json:"val_loss"`
	Base                       string  `json:"base_model"`
	Files                      []string
	Merged                     bool
}

// output runs a command that has to succeed and decodes its JSON.
func (s *testSweep) output(into any, args ...string) {
	s.t.Helper()
	cmd := s.sweep(append(args, "-o", "json")...)
	cmd.Dir = s.dir
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("%v: %v\n%s", cmd.Args, err, said.String())
	}
	checkSchema(s.t, out)
	if err := json.Unmarshal(out, into); err != nil {
		s.t.Fatal(err)
	}
}

func (s *testSweep) export(args ...string) (e exported) {
	s.t.Helper()
	s.output(&e, append([]string{"export"}, args...)...)
	return e
}

// TestExport trains one sweep and exports from it in every way.
func TestExport(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 10)
	s.finish()
	snapshot, _ := s.snapshot()
	r := report.Build(snapshot)

	t.Run("recommended", func(t *testing.T) {
		e := s.export("test", "--to", s.path("recommended"))
		var want report.Trial
		for _, rung := range r.Ladders[0].Rungs {
			for _, trial := range rung.Trials {
				if rung.Rank == *r.Recommendation.Rank && (want.ID == "" || *trial.ValLoss < *want.ValLoss) {
					want = trial
				}
			}
		}
		if e.Schema != "sweep.export/v1" || e.Trial != string(want.ID) || e.Rank != *r.Recommendation.Rank || e.ValLoss != *want.ValLoss {
			t.Errorf("export = %+v, want trial %s, the best seed of rank %d", e, want.ID, *r.Recommendation.Rank)
		}
		checkFolder(t, e, s.path("runs", "trials", e.Trial, "1", "adapter"), modelOf(t, s))
		if left, err := filepath.Glob(s.path(".recommended*")); err != nil || len(left) > 0 {
			t.Errorf("export left %v behind (%v)", left, err)
		}
	})
	t.Run("last of a chosen trial", func(t *testing.T) {
		e := s.export("test", "--rank", "4", "--seed", "1", "--last", "--to", s.path("last"))
		if e.Rank != 4 || e.Seed != 1 || e.Step != 10 {
			t.Errorf("export = %+v, want the last step of rank 4, seed 1", e)
		}
		folder := s.path("runs", "trials", e.Trial, "1", "adapter-last")
		if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) { // its best step was the last
			folder = s.path("runs", "trials", e.Trial, "1", "adapter")
		}
		checkFolder(t, e, folder, modelOf(t, s))
	})
	t.Run("best of all", func(t *testing.T) {
		e := s.export("--best", "--to", s.path("best"))
		for _, rung := range r.Ladders[0].Rungs {
			for _, trial := range rung.Trials {
				if *trial.ValLoss < e.ValLoss {
					t.Errorf("export --best took %v, trial %s has %v", e.ValLoss, trial.ID, *trial.ValLoss)
				}
			}
		}
	})
	t.Run("eval gives the trial's loss again", func(t *testing.T) {
		e := s.export("test", "--to", s.path("evaluated"))
		var again evaluation
		s.output(&again, "eval", "--model", modelOf(t, s), "--adapter", e.Path, "--data", s.path("validation.jsonl"), "--backend", "go")
		if !(math.Abs(again.Loss-e.ValLoss) <= 1e-5) {
			t.Errorf("eval of the export = %v, the trial's val_loss is %v", again.Loss, e.ValLoss)
		}
		var own evaluation
		s.output(&own, "eval", "--trial", e.Trial[:10], "--backend", "go")
		if own.Loss != e.ValLoss || len(own.Warnings) > 0 || own.ValLoss != e.ValLoss || own.Trial != e.Trial || own.Sequences != 8 {
			t.Errorf("eval --trial = %+v, want the recorded val_loss %v, bit for bit", own, e.ValLoss)
		}
		var base evaluation
		s.output(&base, "eval", "--trial", e.Trial, "--model", modelOf(t, s), "--backend", "go")
		if !(base.Loss > own.Loss+0.1) || base.ValLoss != 0 {
			t.Errorf("eval --trial --model = %+v, want the base model's loss, above %v", base, own.Loss)
		}
		for what, spoil := range map[string]func(corpus string) error{
			"without its corpus":    os.RemoveAll,
			"with a damaged corpus": func(corpus string) error { return os.Truncate(filepath.Join(corpus, "validation.rows"), 8) },
		} {
			for _, corpus := range corpora(t, s) {
				if err := spoil(corpus); err != nil {
					t.Fatal(err)
				}
			}
			s.output(&own, "eval", "--trial", e.Trial, "--backend", "go")
			if own.Loss != e.ValLoss {
				t.Errorf("eval --trial %s in the cache = %v, want %v", what, own.Loss, e.ValLoss)
			}
		}
	})
	t.Run("eval warns of another adapter", func(t *testing.T) {
		e := s.export("test", "--to", s.path("genuine"))
		rungs := r.Ladders[0].Rungs
		rung := slices.IndexFunc(rungs, func(g report.Rung) bool {
			return slices.ContainsFunc(g.Trials, func(o report.Trial) bool { return string(o.ID) == e.Trial })
		})
		swapAdapter(t, s, e.Trial, rungs[rung].Trials)
		var got evaluation
		s.output(&got, "eval", "--trial", e.Trial, "--backend", "go")
		const says = "its adapter folder has been changed, or another version of the program trained it; train the grid again in another root: "
		again := says + trial.Command(s.path("runs-anew"), "run", "grid.yaml")
		if got.Loss == e.ValLoss || len(got.Warnings) != 1 || !strings.HasSuffix(got.Warnings[0], again) {
			t.Errorf("eval --trial = %+v, want a warning that the loss is not the recorded %v", got, e.ValLoss)
		}
	})
	t.Run("merged", func(t *testing.T) {
		e := s.export("test", "--merged", "--to", s.path("merged"))
		if !e.Merged || strings.Join(e.Files, " ") != "README.md config.json model.safetensors" {
			t.Errorf("export --merged = %+v, want a card, a configuration and weights", e)
		}
		var whole, onTrial evaluation
		s.output(&whole, "eval", "--model", e.Path, "--data", s.path("validation.jsonl"), "--backend", "go")
		s.output(&onTrial, "eval", "--trial", e.Trial, "--model", e.Path, "--backend", "go")
		if !(math.Abs(whole.Loss-e.ValLoss) <= 1e-5) || !(math.Abs(onTrial.Loss-e.ValLoss) <= 1e-5) {
			t.Errorf("the merged model's loss is %v, on the trial's rows %v; the trial's val_loss is %v", whole.Loss, onTrial.Loss, e.ValLoss)
		}
		small := s.export("test", "--merged", "--dtype", "bfloat16", "--to", s.path("merged"), "--force")
		if card, err := os.ReadFile(filepath.Join(small.Path, "README.md")); err != nil || !strings.Contains(string(card), "(in bfloat16)") {
			t.Errorf("the card of merged bfloat16 weights: %v\n%s", err, card)
		}
	})
	t.Run("the cards' snippets", func(t *testing.T) {
		runSnippets(t, s.export("test", "--to", s.path("card")).Path, s.export("test", "--merged", "--to", s.path("whole")).Path)
	})
	t.Run("refusals", func(t *testing.T) { refusals(t, s) })
}

// corpora are the folders in the cache.
func corpora(t *testing.T, s *testSweep) []string {
	t.Helper()
	files, err := filepath.Glob(s.path("runs", "cache", "*", "validation.rows"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus in the cache: %v", err)
	}
	for i := range files {
		files[i] = filepath.Dir(files[i])
	}
	return files
}

// evaluation is `sweep eval -o json`.
type evaluation struct {
	Loss, Perplexity float64
	Sequences        int
	Trial            string
	ValLoss          float64 `json:"val_loss"`
	Warnings         []string
}

// swapAdapter puts the adapter of another of these trials in the place of a trial's own, until the test ends.
func swapAdapter(t *testing.T, s *testSweep, trial string, all []report.Trial) {
	t.Helper()
	other := slices.IndexFunc(all, func(o report.Trial) bool { return string(o.ID) != trial })
	mine, theirs := s.path("runs", "trials", trial, "1", "adapter"), s.path("runs", "trials", string(all[other].ID), "1", "adapter")
	aside := s.path("aside")
	if err := errors.Join(os.Rename(mine, aside), os.CopyFS(mine, os.DirFS(theirs))); err != nil {
		t.Fatal(err)
	}
	seal := filepath.Join(mine, "sweep.sha256") // of an earlier version, which said of no trial whose it is
	text, err := os.ReadFile(seal)
	if err == nil {
		err = os.WriteFile(seal, regexp.MustCompile("(?m)^#.*\n").ReplaceAll(text, nil), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(os.RemoveAll(mine), os.Rename(aside, mine)); err != nil {
			t.Error(err)
		}
	})
}

// modelOf is the grid's model, as written.
func modelOf(t *testing.T, s *testSweep) string {
	t.Helper()
	grid, err := os.ReadFile(s.path("grid.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`(?m)^model: (.*)$`).FindStringSubmatch(string(grid))[1]
}

// checkFolder compares an export with the trial's adapter: the same but for the base's name.
func checkFolder(t *testing.T, e exported, adapter, base string) {
	t.Helper()
	read := func(dir, name string) []byte {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for _, name := range []string{"adapter_config.json", "adapter_model.safetensors"} { // a grid's absolute path stays as it is
		if !bytes.Equal(read(e.Path, name), read(adapter, name)) {
			t.Errorf("%s is not that of %s:\n%.300s", name, adapter, read(e.Path, name))
		}
	}
	card := string(read(e.Path, "README.md"))
	for _, part := range []string{
		"---\nbase_model: " + base + "\nlibrary_name: peft\n", "\n- lora\n", "| rank | val_loss |",
		"PeftModel.from_pretrained",
	} {
		if !strings.Contains(card, part) {
			t.Errorf("the card lacks %q:\n%s", part, card)
		}
	}
	if e.Base != base || strings.Join(e.Files, " ") != "README.md adapter_config.json adapter_model.safetensors" {
		t.Errorf("export = %+v, want base %s and three files", e, base)
	}
}

// runSnippets runs the Python of model cards and compares what their models compute: the first two must agree. SWEEP_PYTHON names
// an interpreter that has peft; without it, python3.
func runSnippets(t *testing.T, folders ...string) {
	t.Helper()
	python := os.Getenv("SWEEP_PYTHON")
	if python == "" {
		python = "python3"
	}
	if err := exec.CommandContext(t.Context(), python, "-c", "import peft, torch, transformers").Run(); err != nil {
		t.Skipf("SKIPPED: no Python with peft, torch and transformers (%s: %v); set SWEEP_PYTHON to one that has them", python, err)
	}
	code := "logits = []\n"
	for _, folder := range folders {
		card, err := os.ReadFile(filepath.Join(folder, "README.md"))
		if err != nil {
			t.Fatal(err)
		}
		code += string(regexp.MustCompile("(?s)```python\n(.*?)```").FindSubmatch(card)[1]) +
			"\nlogits.append(model.eval()(input_ids=torch.tensor([[5, 6, 7]])).logits)\n"
	}
	code += "print((logits[0] - logits[1]).abs().max().item() < 1e-4)"
	cmd := exec.CommandContext(t.Context(), python, "-c", code)
	cmd.Env = append(os.Environ(), "HF_HUB_OFFLINE=1")
	var said bytes.Buffer
	cmd.Stderr = &said
	if out, err := cmd.Output(); err != nil || strings.TrimSpace(string(out)) != "True" {
		t.Errorf("the snippets printed %q: %v\n%s\n%s", out, err, code, said.String())
	}
}

// refusals come last: they delete an adapter.
func refusals(t *testing.T, s *testSweep) {
	t.Helper()
	e := s.export("test", "--rank", "1", "--to", s.path("taken"))
	if again := s.export("test", "--rank", "2", "--to", s.path("taken"), "--force"); again.Rank != 2 {
		t.Errorf("export --force = %+v", again)
	}
	if err := os.Mkdir(s.path("foreign"), 0o755); err != nil {
		t.Fatal(err)
	}
	s.write("foreign/notes.txt", "mine")
	if err := os.RemoveAll(s.path("runs", "trials", e.Trial, "1", "adapter")); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		code int
		want string
		args []string
	}{
		"no folder":     {exitUsage, "--to", []string{"test"}},
		"not empty":     {exitUsage, "--force", []string{"test", "--to", s.path("taken")}},
		"not an export": {exitUsage, "notes.txt", []string{"test", "--to", s.path("foreign"), "--force"}},
		"a file":        {exitUsage, "grid.yaml", []string{"test", "--to", s.path("grid.yaml")}},
		"no such sweep": {exitNotFound, "other", []string{"other", "--to", s.path("x")}},
		"no such rank":  {exitNotFound, "rank 4 seed 1", []string{"test", "--rank", "3", "--to", s.path("x")}},
		"no such seed":  {exitNotFound, "rank 1 seed 0", []string{"test", "--seed", "7", "--to", s.path("x")}},
		"no such cell":  {exitUsage, "ladder 1: ", []string{"test", "--cell", "lr=1", "--to", s.path("x")}},
		"no such value": {exitNotFound, "alpha is 8", []string{"test", "--cell", "alpha=16", "--to", s.path("x")}},
		"adapter deleted": {exitNotFound, "--root", []string{
			"test", "--rank", "1", "--seed", strconv.FormatInt(e.Seed, 10),
			"--to", s.path("x"),
		}},
		"dtype alone":       {exitUsage, "with --merged", []string{"test", "--dtype", "float16", "--to", s.path("x")}},
		"no such dtype":     {exitUsage, "bfloat16", []string{"test", "--merged", "--dtype", "int8", "--to", s.path("x")}},
		"not a cell at all": {exitUsage, "KEY=VALUE", []string{"test", "--cell", "alpha", "--to", s.path("x")}},
	} {
		code, stdout, stderr := sweepCommand(t, append([]string{"export", "--root", s.path("runs")}, tc.args...)...)
		if code != tc.code || stdout != "" || !strings.Contains(stderr, tc.want) {
			t.Errorf("%s: exit %d, stdout %q, stderr %q, want %d and %q", name, code, stdout, stderr, tc.code, tc.want)
		}
	}
	if _, err := os.Stat(s.path("x")); err == nil {
		t.Error("a refused export left a folder")
	}
	if text, err := os.ReadFile(s.path("foreign", "notes.txt")); err != nil || string(text) != "mine" {
		t.Errorf("--force touched another's file: %q, %v", text, err)
	}
}
