package main

import (
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/trainer/backend"
)

func TestCrashesLoseNothingPureGo(t *testing.T) {
	t.Parallel()
	exerciseCrashes(t, backend.PlatformGo, 60, 20)
}

func TestCrashesLoseNothingXLA(t *testing.T) {
	t.Parallel()
	if _, err := backend.Resolve(t.Context(), backend.PlatformCPU); err != nil {
		t.Skipf("SKIPPED, the XLA CPU plug-in is missing: %v", err)
	}
	exerciseCrashes(t, backend.PlatformCPU, 400, 6) // starting and compiling takes seconds each time
}

// exerciseCrashes kills coordinators and workers at random moments, resumes each time, and compares the final report with
// an uninterrupted run's: every loss and every verdict to the last bit.
func exerciseCrashes(t *testing.T, platform string, steps, wantKills int) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("random moments from seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // moments, not secrets
	began := time.Now()
	whole := newTestSweep(t, platform, steps)
	whole.finish()
	want, took := whole.report(), time.Since(began)
	kills, sweeps := 0, 0
	for ; kills < wantKills; sweeps++ {
		s := newTestSweep(t, platform, steps)
		for done := false; kills < wantKills && !done; {
			var killed bool
			if killed, done = s.killAt(random, took); killed {
				kills++
			}
		}
		s.finish()
		if diff := cmp.Diff(want, s.report()); diff != "" {
			t.Fatalf("after a crash the report is another (-uninterrupted +crashed):\n%s", diff)
		}
	}
	t.Logf("%d kills over %d sweeps", kills, sweeps)
}

// killAt lets the sweep run for a random while, then kills its coordinator, its workers, or both. killed says that some
// process really died of it; done, that the sweep was finished before.
func (s *testSweep) killAt(random *rand.Rand, took time.Duration) (killed, done bool) {
	s.t.Helper()
	s.started = s.started || s.registered()
	cmd := s.start(s.command())
	victim := random.IntN(3)
	select {
	case err := <-cmd.ended:
		if err != nil {
			s.t.Fatalf("%v ended with %v:\n%s", cmd.Args, err, cmd.said.String())
		}
		return false, true
	case <-time.After(time.Duration(random.Float64() * float64(took) / 4)):
	}
	if victim > 0 {
		killed = s.killWorkers() > 0
	}
	if victim < 2 {
		_ = cmd.Process.Kill() // it may have ended a moment ago
		return cmd.wait() < 0 || killed, false
	}
	// Only workers died: the coordinator starts them again. It is stopped as a person would, or found done.
	time.Sleep(time.Duration(random.Float64() * float64(took) / 8))
	_ = cmd.Process.Signal(syscall.SIGTERM)
	code := cmd.wait()
	// One that has only just begun does not catch the signal yet, and dies of it.
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	early := ok && status.Signaled() && status.Signal() == syscall.SIGTERM
	if code != exitOK && code != exitInterrupted && !early {
		s.t.Fatalf("%v ended with exit code %d:\n%s", cmd.Args, code, cmd.said.String())
	}
	return killed, false
}
