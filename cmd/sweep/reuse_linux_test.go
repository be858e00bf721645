package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// processes lists the living processes that were started for the sweep's attempts.
func (s *testSweep) processes() (pids []int) {
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, path := range lines {
		line, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(line, []byte(s.path("runs", "trials"))) {
			continue // gone, or a zombie
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			s.t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

// training counts the attempts that a worker has begun and not ended. Their locks would not say: a coordinator that is stopped while it
// hands an attempt over holds that lock itself.
func (s *testSweep) training() (n int) {
	begun, err := filepath.Glob(s.path("runs", "trials", "*", "*", trial.PIDFile))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, pid := range begun {
		events, _, err := trial.ReadEvents(filepath.Join(filepath.Dir(pid), trial.EventsFile), 0)
		if err != nil {
			s.t.Fatal(err)
		}
		if len(events) == 0 || events[len(events)-1].Outcome == nil {
			n++
		}
	}
	return n
}

// TestWorkersAreUsedAgain: a sweep takes fewer processes than trials, and leaves none behind.
func TestWorkersAreUsedAgain(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 5)
	s.finish()
	paths, err := filepath.Glob(s.path("runs", "trials", "*", "*", trial.PIDFile))
	if err != nil {
		t.Fatal(err)
	}
	pids := map[string]bool{}
	for _, path := range paths {
		pid, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		pids[string(pid)] = true
	}
	if len(pids) == 0 || len(pids) >= len(paths) {
		t.Errorf("%d processes ran %d attempts", len(pids), len(paths))
	}
	until(t, "the workers' end", func() bool { return len(s.processes()) == 0 })
}

// TestWorkersOutliveAKilledCoordinatorByTheirTrial: a busy worker trains on to its trial's end, and no worker stays behind.
func TestWorkersOutliveAKilledCoordinatorByTheirTrial(t *testing.T) {
	t.Parallel()
	for name, stopped := range map[string]bool{"busy": false, "idle": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTestSweep(t, backend.PlatformGo, 40)
			cmd := s.start(s.command())
			until(t, "a second attempt", func() bool { return s.attempts() > 2 && s.livingWorkers() > 0 })
			if stopped { // it hands nothing over
				if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
				until(t, "the end of what trains", func() bool { return s.training() == 0 })
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			cmd.wait()
			until(t, "the workers' end", func() bool { return len(s.processes()) == 0 })
			s.started = true
			s.finish()
			again, err := filepath.Glob(s.path("runs", "trials", "*", "2"))
			if err != nil {
				t.Fatal(err)
			}
			for _, dir := range again { // only what the coordinator had not come to start
				events, err := os.ReadFile(filepath.Join(filepath.Dir(dir), "1", trial.EventsFile))
				if err == nil && len(events) > 0 {
					t.Errorf("%s: an attempt that no one killed was tried again after\n%s", dir, events)
				}
			}
		})
	}
}
