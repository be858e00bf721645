package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// plateauOn runs sweep plateau on a file with this content.
func plateauOn(t *testing.T, content string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "losses.csv")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errOut bytes.Buffer
	code = run(context.Background(), append([]string{"plateau", path}, args...), strings.NewReader(content), &out, &errOut)
	checkSchema(t, out.Bytes())
	return code, out.String(), strings.ReplaceAll(errOut.String(), dir+string(filepath.Separator), "")
}

// flat is a ladder that stops paying at rank 2.
const flat = `rank,seed,val_loss
1,0,4.800
1,1,4.831
1,2,4.862
2,0,4.700
2,1,4.730
2,2,4.761
4,0,4.699
4,1,4.730
4,2,4.760
8,0,4.698
8,1,4.729
8,2,4.760
`

func TestPlateauAsksForTheDirection(t *testing.T) {
	t.Parallel()
	const rising = "rank,seed,val_loss\n1,0,.2\n1,1,.21\n2,0,.3\n2,1,.31\n4,0,.4\n4,1,.41\n"
	for name, tt := range map[string]struct {
		content string
		args    []string
		hint    bool
	}{
		"rising shares":     {rising, nil, true},
		"direction is said": {rising, []string{"--direction", "min"}, false},
		"losses":            {flat, nil, false},
		"falling shares":    {"rank,seed,val_loss\n1,0,.4\n1,1,.41\n2,0,.3\n2,1,.31\n", nil, false},
	} {
		code, _, stderr := plateauOn(t, tt.content, tt.args...)
		if code != exitOK || strings.Contains(stderr, "--direction max") != tt.hint {
			t.Errorf("%s: exit %d, stderr %q, want a hint: %v", name, code, stderr, tt.hint)
		}
	}
	_, stdout, _ := plateauOn(t, "rank,seed,val_loss\n1,0,4.8\n2,0,4.6\n4,0,4.6\n8,0,4.6\n", "--noise-sd", "0.003")
	if !strings.Contains(stdout, "noise_sd 0.003 (--noise-sd)") {
		t.Errorf("the source of noise_sd is not the flag:\n%s", stdout)
	}
}

func TestPlateauVerdicts(t *testing.T) {
	t.Parallel()
	accuracy := "rank,seed,val_loss\n1,0,.200\n1,1,.169\n1,2,.138\n" +
		"2,0,.300\n2,1,.270\n2,2,.239\n4,0,.301\n4,1,.270\n4,2,.240\n8,0,.302\n8,1,.271\n8,2,.240\n"
	tests := map[string]struct {
		content string
		args    []string
		state   string
		rank    int
	}{
		"plateau":          {flat, nil, "plateau", 2},
		"higher is better": {accuracy, []string{"--direction", "max", "--min-gain", "0.02"}, "plateau", 2},
		"lower is better":  {accuracy, []string{"--direction", "min", "--min-gain", "0.02"}, "plateau", 1},
		"a tiny min_gain":  {flat, []string{"--min-gain", "0.00001"}, "still_improving", 8},
		"more patience":    {flat, []string{"--patience", "3"}, "likely_plateau", 2},
		"one seed, noise":  {"rank,seed,val_loss\n1,0,4.8\n2,0,4.6\n4,0,4.6\n8,0,4.6\n", []string{"--noise-sd", "0.003"}, "plateau", 2},
		"columns in order": {"val_loss, RANK ,seed,note\n4.8,1,0,a\n4.81,1,1,b\n", nil, "inconclusive", 1},
		"byte order mark":  {"\ufeffrank,seed,val_loss\n1,0,4.8\n1,1,4.9\n", nil, "inconclusive", 1},
		"overfit, as train": {"rank,seed,val_loss,train_loss\n1,0,4.8,4.7\n1,1,4.83,4.7\n" +
			"2,0,5.0,4.0\n2,1,5.031,4.0\n4,0,5.2,3.0\n4,1,5.2305,3.0\n", []string{"--confidence", "0.8"}, "overfit", 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := plateauOn(t, tt.content, append(tt.args, "-o", "json")...)
			var got struct {
				Schema  string
				Verdict struct {
					State           string
					RecommendedRank int `json:"recommended_rank"`
					Code            string
					Advice          []string
					AdviceCodes     []string `json:"advice_codes"`
					Rungs           any
				}
				Rungs []struct{ Rank int }
			}
			if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != exitOK {
				t.Fatalf("exit %d, %v: %s", code, err, stderr)
			}
			if got.Schema != "sweep.plateau/v1" || got.Verdict.State != tt.state || got.Verdict.RecommendedRank != tt.rank {
				t.Errorf("verdict %+v, want %s, rank %d", got.Verdict, tt.state, tt.rank)
			}
			if got.Verdict.Code == "" || len(got.Verdict.AdviceCodes) == 0 || len(got.Verdict.AdviceCodes) != len(got.Verdict.Advice) {
				t.Errorf("code %q, advice %q with the codes %q", got.Verdict.Code, got.Verdict.Advice, got.Verdict.AdviceCodes)
			}
			if len(got.Rungs) == 0 || got.Verdict.Rungs != nil {
				t.Errorf("rungs %v, in the verdict %v", got.Rungs, got.Verdict.Rungs)
			}
		})
	}
}

func TestPlateauTable(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := plateauOn(t, flat)
	want := `┌──────┬───────┬────────┬──────────────────────────┬──────┬─────────┬──────────┬─────────┐
│ rank │ seeds │  value │            gain [lo, hi] │ over │ P(gain) │ decision │ strikes │
├──────┼───────┼────────┼──────────────────────────┼──────┼─────────┼──────────┼─────────┤
│    1 │     3 │ 4.8310 │                          │      │         │ baseline │       0 │
│    2 │     3 │ 4.7303 │  0.1007 [0.0992, 0.1021] │    1 │ > 0.999 │ improved │       0 │
│    4 │     3 │ 4.7297 │ 0.0007 [-0.0005, 0.0019] │    2 │ < 0.001 │ flat     │       1 │
│    8 │     3 │ 4.7290 │  0.0013 [0.0002, 0.0024] │    2 │ < 0.001 │ flat     │       2 │
└──────┴───────┴────────┴──────────────────────────┴──────┴─────────┴──────────┴─────────┘
rank 2: plateau
ranks 4 and 8 gain less than min_gain 0.0242 over rank 2: upper bounds 0.00186 and 0.00242 at confidence 0.95
noise: a loss varies by 0.031 over seeds, and by 0.00037 once what they share is removed: ` +
		`a variance ratio of 6800, so unpaired ranks would need as many times the seeds
- use rank 2: ranks 4 and 8 buy nothing that min_gain counts

Words: gain: `
	if code != exitOK || stderr != "" || !strings.HasPrefix(stdout, want) {
		t.Errorf("exit %d, stderr %q, stdout:\n%s", code, stderr, stdout)
	}
}

func TestPlateauCSV(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := plateauOn(t, flat, "-o", "csv")
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if code != exitOK || len(lines) != 5 || !strings.HasPrefix(lines[0], "rank,seeds,mean,lo,hi,incumbent,gain,") {
		t.Errorf("exit %d, stderr %q, stdout:\n%s", code, stderr, stdout)
	}
}

func TestPlateauRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		content string
		args    []string
		stderr  string
	}{
		"one seed": {"rank,seed,val_loss\n1,0,4.8\n2,0,4.6\n", nil, "sweep: losses.csv: ranks are compared over one seed, which " +
			"cannot tell a gain from noise: add seeds, or give --noise-sd, the standard deviation of one value\n"},
		"one common seed": {"rank,seed,val_loss\n1,0,4.8\n1,1,4.8\n2,1,4.6\n2,2,4.6\n", nil, "sweep: losses.csv: ranks are compared over " +
			"one seed, which cannot tell a gain from noise: add seeds, or give --noise-sd, the standard deviation of one value\n"},
		"no common seed": {
			"rank,seed,val_loss\n1,0,4.8\n1,1,4.8\n2,2,4.6\n2,3,4.6\n", nil,
			"sweep: losses.csv: rank 2 shares no seed with rank 1: gains are paired by seed, so use the same seeds for every rank\n",
		},
		"empty": {"", nil, "sweep: losses.csv: no losses: want a header line rank,seed,val_loss and one line per rank and seed\n"},
		"no header": {"1,0,4.8\n", nil, "sweep: losses.csv:1: no column rank: the first line must name the columns rank and val_loss, " +
			"and seed where a rank has several values; it says \"1,0,4.8\"\n"},
		"two rank columns": {"rank,rank,val_loss\n", nil, "sweep: losses.csv:1: column rank appears twice\n"},
		"many problems": {
			"rank,seed,val_loss\nfour,0,4.8\n0,0,4.8\n1,x,NaN\n1,0\n1,0,4.8\n1,0,4.9\n", nil,
			"sweep: losses.csv:2: rank \"four\" is not a whole number from 1 on\n" +
				"losses.csv:3: rank \"0\" is not a whole number from 1 on\n" +
				"losses.csv:4: seed \"x\" is not a whole number\n" +
				"losses.csv:4: val_loss is NaN: leave runs that diverged out\n" +
				"losses.csv:5: 2 fields, the header has 3\n" +
				"losses.csv:7: rank 1, seed 0 stands in line 6 already\n",
		},
		"a stray quote": {"rank,seed,val_loss\n1,0,\"4.8\n", nil, "sweep: losses.csv:2:10: extraneous or missing \" in quoted-field\n"},
		"direction":     {flat, []string{"--direction", "up"}, "sweep: --direction up: want min or max\n"},
		"min-gain": {
			flat,
			[]string{"--min-gain", "little"},
			"sweep: --min-gain little: want a number such as 0.02, or a share such as 0.5%\n",
		},
		"min-gain of nothing": {flat, []string{"--min-gain", "0%"}, "sweep: min_gain 0: want a positive number\n"},
		"stop":                {flat, []string{"--stop", "now"}, "sweep: stop \"now\": want \"likely\" or \"certified\"\n"},
		"seeds nobody has":    {flat, []string{"--seeds", "7"}, "sweep: losses.csv: rank 1: none of the grid's seeds [7] has a loss\n"},
		"confidence":          {flat, []string{"--confidence", "95"}, "sweep: confidence 95: want a number between 0 and 1\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := plateauOn(t, tt.content, tt.args...)
			if code != exitUsage || stdout != "" {
				t.Errorf("exit %d, stdout %q", code, stdout)
			}
			if diff := cmp.Diff(tt.stderr, stderr); diff != "" {
				t.Errorf("stderr (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPlateauReadsStdin(t *testing.T) {
	t.Parallel()
	var out, errOut bytes.Buffer
	if code := run(context.Background(), []string{"plateau", "-"}, strings.NewReader(flat), &out, &errOut); code != exitOK {
		t.Errorf("exit %d: %s", code, errOut.String())
	}
	if code := run(context.Background(), []string{"plateau", "no-such.csv"}, strings.NewReader(""), &out, &errOut); code != exitUsage {
		t.Errorf("a missing file: exit %d", code)
	}
}

// TestPlateauCertified: rank 4 is in doubt over rank 2 (gains .018, −.018, .005); the rule asks for seeds of both, and takes
// them when they come.
func TestPlateauCertified(t *testing.T) {
	t.Parallel()
	doubt := "rank,seed,val_loss\n1,0,4.84\n1,1,4.77\n1,2,4.81\n2,0,4.74\n2,1,4.67\n2,2,4.711\n" +
		"4,0,4.722\n4,1,4.688\n4,2,4.706\n8,0,4.739\n8,1,4.669\n8,2,4.71\n"
	more := "2,3,4.72\n2,4,4.66\n2,5,4.70\n4,3,4.7195\n4,4,4.66\n4,5,4.6995\n"
	for _, tt := range []struct {
		content, state string
		draw           any
		seeds          int
	}{
		{doubt, "likely_plateau", map[string]any{"ranks": []any{2., 4.}, "seeds": []any{3., 4., 5.}}, 3},
		{doubt + more, "plateau", nil, 6},
	} {
		code, stdout, stderr := plateauOn(t, tt.content, "--stop", "certified", "--seeds", "0,1,2", "-o", "json")
		var got struct {
			Verdict struct {
				State string
				Draw  any
			}
			Rungs []struct{ Seeds []int64 }
			Noise struct {
				SeedSD   float64 `json:"seed_sd"`
				PairedSD float64 `json:"paired_sd"`
				Ratio    float64
			}
		}
		if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != exitOK {
			t.Fatalf("exit %d, %v: %s", code, err, stderr)
		}
		if got.Verdict.State != tt.state || len(got.Rungs[2].Seeds) != tt.seeds || cmp.Diff(tt.draw, got.Verdict.Draw) != "" {
			t.Errorf("verdict %+v, rank 4 over %d seeds, want %s, draw %v", got.Verdict, len(got.Rungs[2].Seeds), tt.state, tt.draw)
		}
		if n := got.Noise; n.SeedSD < n.PairedSD || n.Ratio < 1 {
			t.Errorf("noise %+v", n)
		}
	}
}

// FuzzParseLosses: whatever the bytes, the reader returns an error that names the table, or rungs that the rule can read.
func FuzzParseLosses(f *testing.F) {
	for _, s := range []string{
		flat, "", "\ufeffrank,seed,val_loss\n1,0,4.8\n", "rank,seed,val_loss\n1,0,NaN\n", "rank,seed,val_loss,train_loss\n1,0,\"4\n",
		"rank,seed,val_loss\n9223372036854775807,-9223372036854775808,1e308\n", "rank;seed;val_loss\n1;0;3,5\n",
		"rank,seed,val_loss\r\n2,0,0x1p-2\r\n",
		"Name\tlora_r\t_step\teval/loss\ttrain/loss\na\t4\t1\t2.5\t\na\t4\t2\t\t3\n", "rank,lr,val_loss\n1,a,1\n1,b,2\n2,a,1\n2,b,2\n",
		"r,validation_loss,state\n8.0,71.2%,finished\n", "\xff\xfer\x00", "Step,run - eval/loss\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		table, ladders, err := parseLosses("t.csv", bytes.NewReader(body), lossWanted{take: "last"})
		if err != nil {
			if !strings.Contains(err.Error(), "t.csv") {
				t.Errorf("error without the table's name: %v", err)
			}
			return
		}
		rule := plateau.DefaultRule()
		rule.MinGain, rule.Maximize = plateau.MinGain{Value: 0.01}, table.want.direction == "max"
		for _, l := range ladders {
			if _, err := rule.Judge(l.rungs); err != nil && !strings.Contains(err.Error(), "complete") {
				t.Errorf("parseLosses accepts what Judge refuses: %v\n%q", err, body)
			}
		}
		table.notes()
	})
}
