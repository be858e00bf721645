package main

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// TestResumeLoadsNoPluginOnADatabasesWord: a folder from elsewhere names a plug-in, and a plug-in is a program.
func TestResumeLoadsNoPluginOnADatabasesWord(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 40)
	cmd := s.start(s.command())
	until(t, "a trial", s.trains)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.wait()
	s.killWorkers()
	plugin, loaded := foreignPlugin(t)
	db, err := sql.Open("sqlite3", s.path("runs", "sweep.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // a test's
	if _, err := db.ExecContext(context.Background(), "UPDATE registrations SET plugin_path = ?", plugin); err != nil {
		t.Fatal(err)
	}
	mustRefuse := func(args ...string) {
		t.Helper()
		cmd := s.start(s.sweep(args...))
		if code := cmd.wait(); code != exitUsage || !strings.Contains(cmd.said.String(), "--backend "+plugin) {
			t.Errorf("%v: exit code %d, stderr %s", args, code, cmd.said.String())
		}
	}
	mustRefuse("resume", "test")
	if _, err := db.ExecContext(context.Background(), "UPDATE registrations SET platform = plugin_path, plugin_path = ''"); err != nil {
		t.Fatal(err)
	}
	mustRefuse("resume", "test")
	mustRefuse("worker", s.nameInSpec(plugin))
	if _, err := os.Stat(loaded); !os.IsNotExist(err) {
		t.Errorf("the plug-in was loaded (%v)", err)
	}
	if code := s.start(s.sweep("resume", "test", "--backend", plugin)).wait(); code == exitOK { // it is no real plug-in
		t.Errorf("exit code %d", code)
	}
	if _, err := os.Stat(loaded); err != nil {
		t.Errorf("the plug-in that a person asked for was not loaded: %v", err)
	}
}

// nameInSpec has the spec.json of an attempt name a plug-in, and returns the attempt's folder.
func (s *testSweep) nameInSpec(plugin string) (dir string) {
	s.t.Helper()
	specs, err := filepath.Glob(filepath.Join(s.rootDir(), "trials", "*", "*", trial.SpecFile))
	if err != nil || len(specs) == 0 {
		s.t.Fatal(specs, err)
	}
	dir = filepath.Dir(specs[0])
	a, err := trial.ReadAssignment(dir)
	if err == nil {
		a.PluginPath = plugin
		err = trial.WriteAssignment(dir, a)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return dir
}

// TestPilotLoadsNoPluginOnARootsWord: what waits for a pilot in a root from elsewhere names a plug-in.
func TestPilotLoadsNoPluginOnARootsWord(t *testing.T) {
	t.Parallel()
	s := shamSlurm(t)
	s.args = append(s.args, "--pilot")
	s.leaveJobs()
	s.nameInSpec("/elsewhere/plugin.so")
	if out, code := s.within("resume", "--backend", "go"); code != exitUsage || !strings.Contains(out, "--backend /elsewhere/plugin.so") {
		t.Errorf("exit %d: %s", code, out)
	}
}

// within is what a command says, and its exit code: -1 where it is not over after a minute.
func (s *testSweep) within(args ...string) (said string, code int) {
	s.t.Helper()
	cmd := s.sweep(args...)
	cmd.WaitDelay = time.Second
	out := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	timer := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	_ = cmd.Wait() // ProcessState says it
	return out.String(), cmd.ProcessState.ExitCode()
}

// foreignPlugin returns a library, and the file that it writes once it is loaded.
func foreignPlugin(t *testing.T) (library, loaded string) {
	t.Helper()
	dir := t.TempDir()
	library, loaded = filepath.Join(dir, "foreign.so"), filepath.Join(dir, "loaded")
	source := filepath.Join(dir, "foreign.c")
	code := `#include <stdio.h>
__attribute__((constructor)) static void load(void) { FILE *f = fopen("` + loaded + `", "w"); if (f) fclose(f); }
`
	if err := os.WriteFile(source, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "cc", "-shared", "-fPIC", "-o", library, source).CombinedOutput(); err != nil {
		t.Fatalf("cc, which cgo needs too: %v\n%s", err, out)
	}
	return library, loaded
}

// mustKnowNoSettings has commands meet a root whose settings the user has not given: those that only show go on, and the others say what
// to do.
func (s *testSweep) mustKnowNoSettings() {
	s.t.Helper()
	s.env = append(s.env, "XDG_CONFIG_HOME="+s.t.TempDir())
	for _, tt := range []struct {
		code int
		args []string
	}{
		{exitOK, []string{"status"}},
		{exitOK, []string{"status", "--executor", s.args[1]}},
		{exitUsage, []string{"resume", "--backend", "go"}},
		{exitUsage, []string{"cancel", "test"}},
		{exitUsage, []string{"rm", "test", "--yes"}},
		{exitUsage, []string{"run", s.path("grid.yaml"), "--backend", "go", "--pilot"}},
		{exitUsage, []string{"plan", s.path("grid.yaml"), "--backend", "go"}},
		{exitUsage, []string{"doctor", "--backend", "go", "--repair"}},
	} {
		out, code := s.within(tt.args...)
		if code != tt.code || strings.Count(out, "executor.json") != 1 || !strings.Contains(out, "--cluster FILE") {
			s.t.Errorf("%v: exit %d, want %d: %s", tt.args, code, tt.code, out)
		}
	}
	for _, command := range [][]string{{"list"}, {"report"}, {"backup", s.path("copy.db")}} {
		if out, err := s.sweep(command...).CombinedOutput(); err != nil || strings.Contains(string(out), "executor.json") {
			s.t.Errorf("%v, which asks no cluster: %v: %s", command, err, out)
		}
	}
}

// TestForeignSettingsRunNothing: a root from elsewhere names the commands of its cluster.
func TestForeignSettingsRunNothing(t *testing.T) {
	t.Parallel()
	s := shamSlurm(t)
	s.leaveJobs()
	for _, command := range []string{"sbatch", "squeue", "scancel", "scontrol", "sacct"} {
		s.sham(command, "echo "+command+" >>ran")
	}
	s.mustKnowNoSettings()
	if ran, err := os.ReadFile(s.path("ran")); !os.IsNotExist(err) {
		t.Errorf("the root's commands ran: %s, %v", ran, err)
	}
	for _, flags := range [][]string{{"--cluster", s.path("cluster.yaml")}, nil} { // once given, they are remembered
		out, err := s.sweep(append([]string{"status"}, flags...)...).CombinedOutput()
		if err != nil || strings.Contains(string(out), "executor.json") {
			t.Errorf("status %v: %v: %s", flags, err, out)
		}
		if err := os.Remove(s.path("ran")); err != nil {
			t.Errorf("status %v asked no cluster: %v", flags, err)
		}
	}
	given, err := filepath.Glob(filepath.Join(strings.TrimPrefix(s.env[len(s.env)-1], "XDG_CONFIG_HOME="), "sweep", "*", "*"))
	if err != nil || len(given) != 1 {
		t.Fatalf("given: %v, %v", given, err)
	}
	if info, err := os.Stat(given[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	s.env = append(s.env, "XDG_CONFIG_HOME=", "HOME=")
	if out, code := s.within("status", "--cluster", s.path("cluster.yaml")); code != exitOK || !strings.Contains(out, "cannot be remembered") {
		t.Errorf("without a configuration folder: exit %d: %s", code, out)
	}
	if err := os.Remove(s.path("ran")); err != nil {
		t.Errorf("without a configuration folder settings that are given are not used: %v", err)
	}
}

// TestForeignSettingsSendNothing: a root from elsewhere names an address, and variables of the environment that requests to it carry.
func TestForeignSettingsSendNothing(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	s := shamRay(t, "X-A: '${SWEEP_TEST_TOKEN}'", func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		fmt.Fprint(w, `{"ray_version": "2.60.0"}`)
	})
	cmd := s.start(s.command())
	until(t, "a job that is handed in", func() bool {
		jobs, err := filepath.Glob(s.path("runs", "trials", "*", "*", "job.json"))
		return err == nil && len(jobs) > 0
	})
	_ = cmd.Process.Kill()
	cmd.wait()
	before := asked.Load()
	s.mustKnowNoSettings()
	if now := asked.Load(); now != before {
		t.Errorf("%d requests went to the root's address", now-before)
	}
	if out, err := s.sweep("status", "--cluster", s.path("cluster.yaml")).CombinedOutput(); err != nil || asked.Load() == before {
		t.Errorf("settings that were given are not used: %v: %s", err, out)
	}
}
