package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// hostile is what a name, a key or a message from elsewhere may hold: clearing the screen, in both forms, a title, a deletion, text that
// runs backwards, a line that ends where none does, markup and a formula.
const hostile = "=1+1|\x1b[2J\u009b2J\x1b]0;t\x07\b\x7f\u202e\u2066\u2028\u0085<script>`|"

// raw reports what of an output would act on a terminal.
func raw(output string) []string {
	acts := regexp.MustCompile("[\x00-\x08\x0b-\x1f\x7f\u0080-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
	found := acts.FindAllString(output, -1)
	slices.Sort(found)
	return slices.Compact(found)
}

// TestHostileNamesStayText: whatever a root from elsewhere holds, no output acts on a terminal, piped or not.
func TestHostileNamesStayText(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	db, err := store.Open(t.Context(), filepath.Join(root, "sweep.db"))
	if err != nil {
		t.Fatal(err)
	}
	id, err := db.CreateSweep(t.Context(), sweeptest.Info(hostile, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	r := sweeptest.Registration([]float64{16}, []int{1, 2}, []int64{0, 1})
	for i := range r.Ladders {
		for j := range r.Ladders[i].Cell {
			r.Ladders[i].Cell[j].Value = hostile
		}
	}
	if err := db.Register(t.Context(), id, r); err != nil {
		t.Fatal(err)
	}
	failed := r.Ladders[0].Rungs[0].Trials[0].Trial.Trial()
	recordSteps(t, db, failed, 2, trial.Outcome{State: trial.OutcomeFailed, Error: hostile, Step: 2})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	folder := trial.NewAttemptID(failed.ID, 1).Dir(root)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{trial.StdoutFile, trial.StderrFile, hostile[:5]} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(hostile+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	trialID, shown := string(failed.ID), 0
	for _, command := range [][]string{
		{"status"},
		{"list"},
		{"report"},
		{"show", trialID},
		{"metrics", trialID},
		{"explain", "1"},
		{"logs", trialID},
		{"logs", "-f", trialID},
		{"diff", hostile, hostile},
		{"status", hostile + "x"},
		{hostile},
		{"status", "--" + hostile},
		{"run", hostile},
		{"eval", "--model", hostile},
		{"plateau", hostile},
		{"export", hostile, "--to", t.TempDir()},
		{"samples", hostile},
		{"resume", hostile},
		{"track", hostile},
		{"validate", hostile},
		{"__complete", "status", ""},
		{"__complete", "export", "--cell", ""},
		{"status", "-v"},
		{"watch"},
	} {
		for _, format := range outputFormats {
			args := append([]string{command[0], "--root", root, "-o", format}, command[1:]...)
			if command[0] == "__complete" {
				args = append(slices.Clone(command[:2]), append([]string{"--root", root}, command[2:]...)...)
			}
			_, stdout, stderr := sweepCommand(t, args...)
			if acts := raw(stdout + stderr); acts != nil {
				t.Errorf("%q prints %q:\n%q\n%q", args, acts, stdout, stderr)
			}
			if strings.Contains(stdout+stderr, `\u009b2J`) {
				shown++
			}
			if format == "html" && strings.Contains(stdout, "<script>`") || format == "md" && strings.Contains(stdout, "<script>`") {
				t.Errorf("%q: markup is markup:\n%s", args, stdout)
			}
			if format == "csv" && (strings.HasPrefix(stdout, "=") || strings.Contains(stdout, "\n=") || strings.Contains(stdout, ",=")) {
				t.Errorf("%q: a formula:\n%s", args, stdout)
			}
		}
	}
	if shown < 20 {
		t.Errorf("%d outputs show what the names hold: is the root read?", shown)
	}
	_, stdout, _ := sweepCommand(t, "list", "--root", root, "-o", "json")
	var listed struct{ Sweeps []struct{ Name string } }
	if err := json.Unmarshal([]byte(stdout), &listed); err != nil || len(listed.Sweeps) != 1 || listed.Sweeps[0].Name != hostile {
		t.Errorf("JSON has the name as %+v (%v), want it exact", listed, err)
	}
}

// TestHostileFilesStayText: grids, rows, keys and templates come from elsewhere too, and errors cite them.
func TestHostileFilesStayText(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const hostile = "\x1b[2J\u009b2J\x07\x7f\u202e\u2028"
	quoted, err := json.Marshal(hostile)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key := string(quoted)
	rows := map[string]string{
		"key.jsonl":      `{` + key + `: "x"}` + "\n",
		"text.jsonl":     `{"text": ` + key + `, ` + key + `: 1` + "\n",
		"role.jsonl":     `{"messages": [{"role": ` + key + `, "content": "x"}]}` + "\n",
		"head.csv":       hostile + ",b\nx,y\n",
		hostile + ".csv": "a,b\nx,y\n",
		"quote.csv":      "text\n\"" + hostile + "\"x\n",
		"list.json":      `{` + key + `: [1]}`,
		"noutf8.txt":     "\xff" + hostile,
	}
	for name, text := range rows {
		path := write(name, text)
		grid := write("grid-"+strings.TrimPrefix(name, hostile)+".yaml", "name: g\nmodel: builtin:gopher\ndata: {train: "+
			yamlQuoted(t, path)+"}\nlora: {rank: 1, alpha: 1}\ntrain: {steps: 1, learning_rate: 1e-3}\n")
		code, stdout, stderr := sweepCommand(t, "data", "--root", filepath.Join(dir, "runs"), grid)
		if acts := raw(stdout + stderr); acts != nil {
			t.Errorf("%q (exit code %d) prints %q: %q %q", name, code, acts, stdout, stderr)
		}
		if code == exitOK && name != "text.jsonl" {
			t.Errorf("%q is taken: %s", name, stdout)
		}
	}
	for name, text := range map[string]string{
		"key": key + ": 1\n", "name": "name: " + key + "\n", "model": "name: g\nmodel: " + key + "\n",
		"raw": "name: \x1b[2J\n", "c1": "name: \u009b\n",
		"pattern": "name: g\nmodel: builtin:gopher\nlora: {rank: 1, target_modules: " + key + "}\n",
		"enum":    "name: g\ntrain: {lr_scheduler_type: " + key + "}\n",
	} {
		path := write(name+".yaml", text)
		for _, command := range []string{"validate", "plan", "run"} {
			code, stdout, stderr := sweepCommand(t, command, "--root", filepath.Join(dir, "runs"), path)
			if acts := raw(stdout + stderr); acts != nil || code != exitUsage {
				t.Errorf("%s %s (exit code %d) prints %q: %q %q", command, name, code, acts, stdout, stderr)
			}
		}
	}
	code, stdout, stderr := sweepCommand(t, "plateau", write("losses.csv", "rank,seed,"+hostile+"\n1,0,"+hostile+"\n"))
	if acts := raw(stdout + stderr); acts != nil || code != exitUsage {
		t.Errorf("plateau (exit code %d) prints %q: %q %q", code, acts, stdout, stderr)
	}
}

func yamlQuoted(t *testing.T, s string) string {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
