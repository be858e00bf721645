package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/executor/slurm/slurmtest"
	"github.com/ranksweep/ranksweep/sweep/trial/cause"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// onSlurm is a sweep whose trials Slurm carries, with more of slurm's settings, as YAML.
func onSlurm(t *testing.T, steps int, settings ...string) *testSweep {
	t.Helper()
	s := newTestSweep(t, backend.PlatformGo, steps)
	s.putOnSlurm(settings...)
	return s
}

func (s *testSweep) putOnSlurm(settings ...string) {
	s.t.Helper()
	s.write("cluster.yaml", fmt.Sprintf("slurm: {%s}\n", strings.Join(append([]string{"cpus: 1", "memory: 2GiB"}, settings...), ", ")))
	s.args = []string{"--executor", "slurm", "--cluster", s.path("cluster.yaml")}
}

// TestSweepOnSlurm: whatever happens to Slurm and to what it says, a sweep comes to the report and to the adapters of one on this machine,
// bit for bit.
func TestSweepOnSlurm(t *testing.T) { //nolint:paralleltest // the node has few cores
	const short, long = 20, 150
	calm := func(t *testing.T, steps int) proof {
		t.Helper()
		here := newTestSweep(t, backend.PlatformGo, steps)
		here.finish()
		return here.proof()
	}
	node := slurmtest.Open(t)
	shortly, lengthily := calm(t, short), calm(t, long)

	t.Run("quiet", func(t *testing.T) { //nolint:paralleltest // see above
		s := onSlurm(t, short)
		s.finish()
		s.mustEqual(shortly, "a sweep on Slurm")
	})
	t.Run("without accounts or answers of sbatch", func(t *testing.T) { //nolint:paralleltest // see above
		s := onSlurm(t, short, "sacct: /no/such/sacct")
		s.wrapSbatch(`sbatch "$@" >/dev/null; kill -9 $$`)
		s.finish()
		s.mustEqual(shortly, "sbatch that died after it had handed in")
	})
	t.Run("coordinator killed before it knows that a batch was taken", func(t *testing.T) { //nolint:paralleltest // see above
		s := onSlurm(t, short)
		s.wrapSbatch(fmt.Sprintf(`sbatch "$@"; if mkdir %s; then kill -9 $PPID; fi`, s.path("once")))
		cmd := s.start(s.command())
		if code := cmd.wait(); code != -1 {
			t.Fatalf("exit code %d, want a killed coordinator\n%s", code, &cmd.said)
		}
		s.finish()
		s.mustEqual(shortly, "a coordinator killed between sbatch and its record")
	})
	t.Run("forgotten jobs", func(t *testing.T) { //nolint:paralleltest // see above
		s := onSlurm(t, short)
		cmd := s.start(s.command())
		until(t, "a job that runs", func() bool { return s.training() > 0 })
		_ = cmd.Process.Kill()
		cmd.wait()
		until(t, "no job that Slurm knows", func() bool { return len(node.For(t).Jobs("all")) == 0 })
		s.finish()
		s.mustEqual(shortly, "jobs that ended and were forgotten while nobody looked")
	})
	t.Run("pilots", func(t *testing.T) { //nolint:paralleltest // see above
		s := onSlurm(t, short)
		s.args = append(s.args, "--pilot")
		s.finish()
		s.mustEqual(shortly, "a sweep by pilots on Slurm")
		batches, err := filepath.Glob(s.path("runs", "batches", "*", "job.sh"))
		if trials := s.attempts(); err != nil || len(batches) == 0 || trials <= len(batches) {
			t.Errorf("%d batches trained %d attempts, %v; want pilots that train more than one", len(batches), trials, err)
		}
	})
	t.Run("out of memory", func(t *testing.T) { //nolint:paralleltest // see above
		s := onSlurm(t, long)
		s.write("cluster.yaml", "slurm: {cpus: 1, memory: 16MiB}\n")
		s.finish()
		s.mustEqual(lengthily, "jobs that asked for too little memory")
		snapshot, _ := s.snapshot()
		grown := 0
		snapshot.Each(func(_ *sweep.Ladder, rung int, trial *sweep.TrialFacts) {
			for _, a := range trial.Attempts {
				if a.Outcome.Cause == cause.MemoryAsked {
					grown++
				}
			}
			if rung > 0 && len(trial.Attempts) > 1 {
				t.Errorf("rank %d took %d attempts though the first rank had told how much memory is needed", trial.Trial.Rank, len(trial.Attempts))
			}
		})
		if grown == 0 {
			t.Error("no job was killed for want of memory")
		}
	})
	for name, strike := range map[string]func(slurmtest.Node){
		"slurmctld killed": func(n slurmtest.Node) {
			n.UntilSaved(n.Jobs("RUNNING")[0])
			n.Kill("slurmctld")
			n.Start("slurmctld")
		},
		"slurmd killed": func(n slurmtest.Node) {
			n.Kill("slurmd")
			until(t, "a node that is down", func() bool { return len(n.Jobs("RUNNING")) == 0 })
			n.Start("slurmd")
		},
		"node drained": func(n slurmtest.Node) {
			n.Drain()
			until(t, "a job that waits", func() bool { return len(n.Jobs("PENDING")) > 0 })
			n.Undrain()
		},
		"job preempted": func(n slurmtest.Node) {
			n.Run("sbatch", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wait", "--wrap=sleep 1")
		},
		"job requeued":  func(n slurmtest.Node) { n.Requeue(n.Jobs("RUNNING")[0]) },
		"job cancelled": func(n slurmtest.Node) { n.Run("scancel", n.Jobs("RUNNING")[0]) },
	} {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // see above
			s := onSlurm(t, long)
			cmd := s.start(s.command())
			until(t, "a job that runs", func() bool { return s.training() > 0 })
			strike(node.For(t))
			if code := cmd.wait(); code != exitOK {
				t.Fatalf("exit code %d\n%s", code, &cmd.said)
			}
			s.mustEqual(lengthily, name)
		})
	}
}

// wrapSbatch puts lines of shell in sbatch's place, which find the real one.
func (s *testSweep) wrapSbatch(lines string) {
	s.t.Helper()
	path := s.path("sbatch")
	slurmtest.Script(s.t, path, "#!/bin/sh\n"+lines+"\n")
	s.putOnSlurm("sbatch: "+path, "sacct: /no/such/sacct")
}

// TestTimeLimitsOnSlurm: a trial that is longer than a job may be goes on in the next one.
func TestTimeLimitsOnSlurm(t *testing.T) { //nolint:paralleltest // the node has few cores
	slurmtest.Open(t)
	const steps = 3000
	one := func() *testSweep {
		s := newTestSweep(t, backend.PlatformGo, steps)
		s.edit("rank: [1, 2, 4]", "rank: [1]")
		s.edit("seeds: [0, 1]", "seeds: [0]")
		return s
	}
	here, there := one(), one()
	here.finish()
	there.putOnSlurm("time: 1m", "time_max: 1m")
	there.finish()
	there.mustEqual(here.proof(), "jobs whose time was up")
	if n := there.attempts(); n < 2 {
		t.Errorf("%d attempts: it never went on in another job", n)
	}
}

// TestQuickstartOnSlurm trains what make quickstart trains.
func TestQuickstartOnSlurm(t *testing.T) { //nolint:paralleltest // the node has few cores
	slurmtest.Open(t)
	here, there := quickstart(t), quickstart(t)
	here.finish()
	there.putOnSlurm()
	there.finish()
	there.mustEqual(here.proof(), "the quickstart on Slurm")
}
