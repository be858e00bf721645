package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// plateauState is the verdict of sweep plateau -o json on a file with this content.
func plateauState(t *testing.T, content string, args ...string) (state string, rank int, stderr string) {
	t.Helper()
	code, stdout, stderr := plateauOn(t, content, append(args, "-o", "json")...)
	var got struct {
		Verdict struct {
			State string
			Rank  int `json:"recommended_rank"`
		}
	}
	if code != exitOK {
		return "", 0, stderr
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	return got.Verdict.State, got.Verdict.Rank, stderr
}

// TestPlateauForeignFiles: one ladder of six ranks as different programs write it, and with what can be wrong in it.
func TestPlateauForeignFiles(t *testing.T) {
	t.Parallel()
	// The right verdict is that of ok.csv. With two values missing there is less to be certain of.
	want := map[string]struct {
		rank   int
		stderr string
	}{
		"ok.csv": {4, ""}, "bom.csv": {4, ""}, "crlf.csv": {4, ""}, "extra.csv": {4, ""}, "floatrank.csv": {4, ""}, "semi.csv": {4, ""},
		"semidec.csv": {4, ""}, "spaces.csv": {4, ""}, "tab.tsv": {4, ""}, "unsorted.csv": {4, ""}, "upper.csv": {4, ""},
		"evalloss.csv": {4, "the values are eval_loss: lower is better\n"},
		"wandb.csv":    {4, "the values are eval/loss: lower is better\n"},
		"missing.csv":  {8, ""},
		"dup.csv":      {0, "losses.csv:20: rank 1, seed 2 stands in line 4 already\n"},
		"empty.csv":    {0, "losses.csv:6: val_loss is empty: fill it in, or leave the run out\n"},
		"inf.csv":      {0, "losses.csv:6: val_loss is inf: leave runs that diverged out\n"},
		"nan.csv":      {0, "losses.csv:6: val_loss is nan: leave runs that diverged out\n"},
		"sci.csv":      {0, "losses.csv:6: val_loss \"2.7e09593\" is not a number\n"},
		"noseed.csv":   {0, "losses.csv: ranks are compared over one seed, which cannot tell a gain from noise"},
		"two_lr.csv":   {0, ""}, // TestPlateauLadders
	}
	files, err := os.ReadDir("testdata/plateau")
	if err != nil || len(files) != len(want) {
		t.Fatalf("%d files, %v, want %d", len(files), err, len(want))
	}
	for _, file := range files {
		t.Run(file.Name(), func(t *testing.T) {
			t.Parallel()
			content, err := os.ReadFile(filepath.Join("testdata/plateau", file.Name()))
			if err != nil {
				t.Fatal(err)
			}
			want := want[file.Name()]
			state, rank, stderr := plateauState(t, string(content))
			if rank != want.rank || !strings.Contains(stderr, want.stderr) || (want.stderr == "") != (stderr == "") {
				t.Errorf("%s, rank %d, said %q, want rank %d and %q", state, rank, stderr, want.rank, want.stderr)
			}
			if rank > 0 && state != "plateau" {
				t.Errorf("verdict %s, want plateau", state)
			}
		})
	}
}

// TestPlateauLadders: where another column tells runs of one rank and seed apart, each of its values has a verdict.
func TestPlateauLadders(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("testdata/plateau/two_lr.csv")
	if err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := plateauOn(t, string(content), "-o", "json")
	var got struct {
		Ladders []struct {
			Settings map[string]string
			Verdict  struct {
				State string
				Rank  int `json:"recommended_rank"`
			}
			Rungs []any
		}
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != exitOK || stderr != "" {
		t.Fatalf("exit %d, %v: %s", code, err, stderr)
	}
	if len(got.Ladders) != 2 {
		t.Fatalf("ladders %+v", got.Ladders)
	}
	for i, lr := range []string{"1e-4", "1e-3"} {
		l := got.Ladders[i]
		if l.Settings["lr"] != lr || l.Verdict.State != "plateau" || l.Verdict.Rank != 4 || len(l.Rungs) != 6 {
			t.Errorf("ladder %+v, want lr %s with a plateau at rank 4", l, lr)
		}
	}
	_, stdout, _ = plateauOn(t, string(content))
	if !strings.HasPrefix(stdout, "lr 1e-4\n┌") || !strings.Contains(stdout, "\n\nlr 1e-3\n┌") {
		t.Errorf("table:\n%s", stdout)
	}
	_, stdout, _ = plateauOn(t, string(content), "-o", "csv")
	if lines := strings.Split(stdout, "\n"); len(lines) != 14 || !strings.HasPrefix(lines[0], "lr,rank,seeds") ||
		!strings.HasPrefix(lines[7], "1e-3,1,3") {
		t.Errorf("csv:\n%s", stdout)
	}
}

// TestPlateauForeignTables: what else papers and W&B write.
func TestPlateauForeignTables(t *testing.T) {
	t.Parallel()
	const shares = "rank,seed,%s\n1,0,20.0%%\n1,1,16.9%%\n1,2,13.8%%\n2,0,30.0%%\n2,1,27.0%%\n2,2,23.9%%\n" +
		"4,0,30.1%%\n4,1,27.0%%\n4,2,24.0%%\n8,0,30.2%%\n8,1,27.1%%\n8,2,24.0%%\n"
	percent := func(column string) string {
		return strings.ReplaceAll(strings.Replace(shares, "%s", column, 1), "%%", "%")
	}
	// The loss of each run falls, then rises again by 1; training steps have no value.
	history := "Name,config.lora_r,Seed,_step,train/loss,eval/loss\n"
	for _, line := range strings.Split(strings.TrimSpace(flat), "\n")[1:] {
		f := strings.Split(line, ",")
		run := "run" + f[0] + f[1] + "," + f[0] + "," + f[1]
		history += run + ",10,,9.5\n" + run + ",15,5,\n" + run + ",20,," + f[2] + "\n" + run + ",30,,1" + f[2] + "\n"
	}
	for name, test := range map[string]struct {
		content string
		args    []string
		state   string
		rank    int
		stderr  string
	}{
		"accuracy in percent": {
			percent("accuracy"),
			[]string{"--column", "accuracy", "--min-gain", "0.02"},
			"plateau", 2,
			"the values are accuracy: higher is better\npercentages are read as shares, 71.2% as 0.712",
		},
		"F1 of the evaluation": {percent("eval/F1 (macro)"), []string{"--column", "eval_f1_macro", "--min-gain", "0.02"}, "plateau", 2, "higher"},
		"a score":              {percent("score"), []string{"--column", "score"}, "", 0, "losses.csv:1: column score: its name does not say"},
		"a score, said": {
			percent("score"), []string{"--column", "score", "--direction", "max", "--min-gain", "0.02"}, "plateau", 2, "score: higher",
		},
		"some in percent": {
			"rank,seed,accuracy\n1,0,20%\n1,1,21\n",
			[]string{"--column", "accuracy"},
			"", 0,
			"losses.csv:3: accuracy \"21\" has no % sign, and line 2 has a % sign: write all values in one way",
		},
		"no such column": {flat, []string{"--column", "f1"}, "", 0, "losses.csv:1: no column f1: the columns are rank, seed, val_loss"},
		"no loss":        {"rank,seed,bleu\n1,0,3\n", nil, "", 0, "no column val_loss: the first line must name"},
		"two losses":     {"rank,eval_loss,valid_loss\n1,0,3\n", nil, "", 0, "columns eval_loss and valid_loss both may be val_loss"},
		"no seeds": {
			"r;eval_loss\n1;4,8\n2;4,6\n4;4,6\n8;4,6\n", []string{"--noise-sd", "0.003"}, "plateau", 2, "eval_loss: lower",
		},
		"comma and point": {
			"r;val_loss\n1;4,8\n2;4.6\n", nil, "", 0, "losses.csv:3: val_loss \"4.6\" has a decimal point, and line 2 has a decimal comma",
		},
		"thousands":         {"rank\tperplexity\n1\t1,234\n", []string{"--column", "perplexity"}, "", 0, "write decimals with a point"},
		"a history":         {history, nil, "plateau", 2, "its last step; --take best takes its best\ntrain/loss has gaps and is left out"},
		"a history's best":  {history, []string{"--take", "best"}, "plateau", 2, "a run counts with its best value"},
		"a step of a kind":  {flat, []string{"--take", "first"}, "", 0, "--take first: want last or best"},
		"two runs":          {"name,rank,seed,step,val_loss\na,1,0,1,3\nb,1,0,2,3\n", nil, "", 0, "rank 1, seed 0 stands in line 2 already"},
		"seeds not named":   {"rank,val_loss\n1,3\n1,4\n", nil, "", 0, "losses.csv:3: rank 1 stands in line 2 already; runs of several seeds"},
		"a run that failed": {"Name,State,rank,val_loss\na,crashed,1,3\n", nil, "", 0, "losses.csv:2: the run is crashed"},
		"a chart":           {"Step,run-1 - eval/loss\n1,2\n", nil, "", 0, "export the table of runs"},
		"UTF-16":            {"\xff\xfer\x00a\x00", nil, "", 0, "losses.csv: the text is UTF-16"},
		"a spreadsheet":     {"PK\x03\x04", nil, "", 0, "losses.csv: this is a spreadsheet"},
		"blank lines":       {strings.ReplaceAll(flat, "\n4,0", "\n,,\n\n4,0"), nil, "plateau", 2, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			state, rank, stderr := plateauState(t, test.content, test.args...)
			if state != test.state || rank != test.rank || !strings.Contains(stderr, test.stderr) {
				t.Errorf("%q at rank %d, said %q, want %q at %d and %q", state, rank, stderr, test.state, test.rank, test.stderr)
			}
		})
	}
}

// TestPlateauReadsPipes: a shell's <(command) is read, a device is not, and a pipe that nobody writes to is not waited for.
func TestPlateauReadsPipes(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close() //nolint:errcheck // read only
	if _, err := w.WriteString(flat); err != nil {
		t.Fatal(err)
	}
	silent := filepath.Join(t.TempDir(), "pipe")
	if err := errors.Join(w.Close(), syscall.Mkfifo(silent, 0o600)); err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := sweepCommand(t, "plateau", fmt.Sprintf("/dev/fd/%d", r.Fd())); code != exitOK {
		t.Errorf("a pipe: exit %d, %q, %q", code, stdout, stderr)
	}
	for path, want := range map[string]string{
		silent:      "no losses",
		"/dev/null": "/dev/null is a pipe or a device: write what it gives to a file",
	} {
		if code, _, stderr := sweepCommand(t, "plateau", path); code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit %d, %q", path, code, stderr)
		}
	}
}

// TestSampleFileIsOne: what has no end is not read.
func TestSampleFileIsOne(t *testing.T) {
	t.Parallel()
	huge := filepath.Join(t.TempDir(), "samples.json")
	if err := errors.Join(os.WriteFile(huge, nil, 0o600), os.Truncate(huge, 1<<30)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{huge: "has more than the 64 MiB", "/dev/null": "is a pipe or a device"} {
		if _, err := readSampleFile(path, sweep.Snapshot{}); !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
