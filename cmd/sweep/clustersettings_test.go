package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/executor/cluster"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestClusterSettings: what a settings file of a cluster says wrongly is told with its place, and what was probably meant.
func TestClusterSettings(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		executor, text string
		want           []string // parts of stderr; the sweep is not found where all is well
		code           int
	}{
		"good": {
			"slurm", "slurm:\n  memory: 8GiB\n  time: 2h\n  cpus: 4\n  setup: [module load cuda]\n",
			[]string{"no sweep was run"},
			exitNotFound,
		},
		"of another kind": {
			"ray", "slurm:\n  cpus: 4\n", []string{"warning: ", "has no settings in a section ray", "no sweep was run"}, exitNotFound,
		},
		"one line": {"slurm", "slurm: {partition: gpu}\n", []string{"no sweep was run"}, exitNotFound},
		"empty":    {"slurm", "slurm:\n", []string{"no sweep was run"}, exitNotFound},
		"unknown key": {
			"slurm", "slurm:\n  partiton: gpu\n", []string{":2:3: unknown key partiton of slurm; did you mean partition?"}, exitUsage,
		},
		"unknown section": {"slurm", "slum:\n  cpus: 1\n", []string{":1:1: unknown key slum; did you mean slurm?"}, exitUsage},
		"several errors": {
			"slurm", "slurm:\n  memory: lots\n  cpus: many\n",
			[]string{":2:11: slurm.memory: \"lots\": want a size", ":3:9: slurm.cpus: got many, want a whole number"},
			exitUsage,
		},
		"other kinds of values": {
			"slurm", "slurm:\n  extra: --exclude=node7\n  partition: [a, b]\n  time: 90\n  time_max: 2 hours\n",
			[]string{
				":2:10: slurm.extra: got --exclude=node7, want a list", ":3:14: slurm.partition: got [a, b], want one text",
				":4:9: slurm.time: got 90, want a time with its unit", ":5:13: slurm.time_max: got 2 hours, want a time with its unit",
			},
			exitUsage,
		},
		"two that exclude each other": {
			"slurm", "slurm:\n  gres: gpu:1\n  gpus: 1\n  cpus: -1\n",
			[]string{"cluster.yaml: slurm: gres and gpus both", "cluster.yaml: slurm: cpus is negative"},
			exitUsage,
		},
		"a key twice":     {"slurm", "slurm:\n  cpus: 1\n  cpus: 2\n", []string{":3:3: mapping key \"cpus\" already defined"}, exitUsage},
		"a list":          {"slurm", "slurm: [1]\n", []string{":1:8: want keys with values"}, exitUsage},
		"refused by kind": {"slurm", "slurm:\n  cpus: -1\n", []string{"slurm: cpus is negative"}, exitUsage},
		"no cluster":      {"local", "slurm:\n  cpus: 1\n", []string{"--executor slurm or --executor ray"}, exitUsage},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, said bytes.Buffer
			code := run(t.Context(), []string{
				"list", "--root", t.TempDir(), "--executor", tt.executor, "--cluster", writeFile(t, "cluster.yaml", tt.text),
			}, nil, &out, &said)
			for _, want := range tt.want {
				if !strings.Contains(said.String(), want) {
					t.Errorf("said %q, want %q", said.String(), want)
				}
			}
			if code != tt.code {
				t.Errorf("exit %d, want %d", code, tt.code)
			}
		})
	}
}

// TestClusterSettingsOverride: what a sweep's file says counts more than the user's, key by key.
func TestClusterSettingsOverride(t *testing.T) {
	t.Parallel()
	config := writeFile(t, "config.yaml", "jobs: 3\nslurm:\n  partition: cpu\n  account: me\nray:\n  cpus: 2\n")
	a := &app{root: t.TempDir(), clock: sweep.NewClock()}
	if err := a.chooseExecutor("slurm", writeFile(t, "a100.yaml", "slurm:\n  partition: gpu\n"), config, false); err != nil {
		t.Fatal(err)
	}
	script, err := a.executor.cluster.preview(cluster.Batch{Name: "n", Folder: "/f", Dirs: []string{"/f/1"}})
	if err != nil || !strings.Contains(script, "--partition=gpu") || !strings.Contains(script, "--account=me") {
		t.Errorf("%v:\n%s", err, script)
	}
}

// TestRequests: what a job asks for by what its trial is expected to use.
func TestRequests(t *testing.T) {
	t.Parallel()
	small := trial.Assignment{ExpectedBytes: 1 << 30, ExpectedSeconds: 600}
	large := trial.Assignment{ExpectedBytes: 9 << 30, ExpectedSeconds: 1e5}
	limited := trial.Assignment{TrialTime: 25 * time.Minute, ExpectedSeconds: 1e5}
	bounded := clusterSettings{memory: 4 << 30, most: 8 << 30, time: time.Hour, longest: 4 * time.Hour}
	for name, tt := range map[string]struct {
		settings clusterSettings
		a        trial.Assignment
		want     cluster.Request
	}{
		"nothing is known":        {clusterSettings{}, trial.Assignment{}, cluster.Request{}},
		"nothing but settings":    {bounded, trial.Assignment{}, cluster.Request{Memory: 4 << 30, Time: time.Hour}},
		"what is expected":        {clusterSettings{}, small, cluster.Request{Memory: 1536 << 20, Time: 30 * time.Minute}},
		"at least the settings'":  {bounded, small, cluster.Request{Memory: 4 << 30, Time: time.Hour}},
		"at most the settings'":   {bounded, large, cluster.Request{Memory: 8 << 30, Time: 4 * time.Hour}},
		"no longer than a trial":  {clusterSettings{}, limited, cluster.Request{Time: time.Hour}},
		"a GPU where there is to": {clusterSettings{}, trial.Assignment{Platform: trial.PlatformCUDA}, cluster.Request{Devices: 1}},
	} {
		if diff := cmp.Diff(tt.want, tt.settings.request(tt.a)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestClusterCapacity: a cluster's trials have machines of their own.
func TestClusterCapacity(t *testing.T) {
	t.Parallel()
	s := clusterSettings{jobs: 8, most: 100}
	for _, tt := range []struct{ jobs, trials, want int }{{jobsAuto, 100, 8}, {jobsAuto, 3, 3}, {200, 3, 200}} {
		c, err := s.capacity(backend.Choice{}, tt.jobs, tt.trials)
		if err != nil || c.Jobs != tt.want || !c.Apart || c.HostBytes != 100 {
			t.Errorf("--jobs %d with %d trials: %+v, %v, want %d jobs", tt.jobs, tt.trials, c, err, tt.want)
		}
	}
}

// TestPlanOnCluster: a plan prints the script that the queue would get, for as many jobs as the sweep begins with.
func TestPlanOnCluster(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, "go", 10)
	settings := writeFile(t, "cluster.yaml", "slurm:\n  partition: gpu\n  memory: 8GiB\n  sbatch: /nonexistent\n  scontrol: /nonexistent\n")
	var plan struct {
		Batches []planBatch `json:"batches"`
	}
	code, stdout, stderr := sweepCommand(t, "plan", s.path("grid.yaml"), "--root", s.rootDir(), "--executor", "slurm", "--cluster", settings,
		"--backend", "go", "-o", "json")
	if code != exitOK {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	if err := json.Unmarshal([]byte(stdout), &plan); err != nil {
		t.Fatal(err)
	}
	if len(plan.Batches) != 1 {
		t.Fatalf("batches %+v", plan.Batches)
	}
	b := plan.Batches[0]
	if b.MemoryBytes != 8<<30 || b.Jobs < 1 || !strings.Contains(b.Script, "#SBATCH --partition=gpu\n") ||
		!strings.Contains(b.Script, "#SBATCH --mem=8192M\n") || !strings.Contains(b.JobScript, " worker --job ") ||
		!strings.HasPrefix(b.AttemptFolder, s.rootDir()) {
		t.Errorf("%+v", b)
	}
}
