package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// What make crash sets. Without them the tests are short.
const (
	killsVariable  = "SWEEP_CRASH_KILLS"  // deaths on the pure-Go backend
	realVariable   = "SWEEP_CRASH_REAL"   // deaths on XLA
	roundsVariable = "SWEEP_CRASH_ROUNDS" // of every other fault; without it once some of them, by the seed
	seedVariable   = "SWEEP_CRASH_SEED"   // of the accidents; the seed that a test printed has it happen again
)

// crashLanes is how many sweeps are disturbed side by side: starting processes takes as long as what they do.
const crashLanes = 3

func TestCrashesLoseNothingPureGo(t *testing.T) {
	t.Parallel()
	exerciseCrashes(t, backend.PlatformGo, 60, numberFrom(t, killsVariable, 20))
}

func TestCrashesLoseNothingXLA(t *testing.T) {
	t.Parallel()
	if _, err := backend.Resolve(t.Context(), backend.PlatformCPU); err != nil {
		t.Skipf("SKIPPED, the XLA CPU plug-in is missing: %v", err)
	}
	exerciseCrashes(t, backend.PlatformCPU, 400, numberFrom(t, realVariable, 6)) // starting and compiling takes seconds each time
}

// exerciseCrashes kills coordinators and workers at random moments, resumes each time, and compares the end with an
// undisturbed sweep's: every loss, every verdict and every adapter to the last bit.
func exerciseCrashes(t *testing.T, platform string, steps, wantKills int) {
	t.Helper()
	seed := seedOf(t)
	began := time.Now()
	whole := newTestSweep(t, platform, steps)
	whole.finish()
	want, took := whole.proof(), time.Since(began)
	var kills, sweeps atomic.Int64
	began = time.Now()
	t.Run("lanes", func(t *testing.T) {
		for lane := range min(crashLanes, wantKills) {
			t.Run(strconv.Itoa(lane), func(t *testing.T) {
				t.Parallel()
				random := rand.New(rand.NewPCG(seed, uint64(lane)))
				for kills.Load() < int64(wantKills) && !t.Failed() {
					s := newTestSweep(t, platform, steps)
					for done := false; kills.Load() < int64(wantKills) && !done; {
						var killed bool
						if killed, done = s.killAt(random, took); killed && kills.Add(1)%500 == 0 {
							t.Logf("%d kills of %d", kills.Load(), wantKills)
						}
					}
					s.finish()
					s.mustEqual(want, "after kills")
					s.mustHoldEveryEvent()
					sweeps.Add(1)
					s.discard()
				}
			})
		}
	})
	t.Logf("%d kills over %d sweeps in %s; undisturbed one takes %s",
		kills.Load(), sweeps.Load(), time.Since(began).Round(time.Second), took)
}

// killAt lets the sweep run for a random while, then kills its coordinator, its workers, or both. killed says that some
// process really died of it; done, that the sweep was finished before.
func (s *testSweep) killAt(random *rand.Rand, took time.Duration) (killed, done bool) {
	s.t.Helper()
	victim := random.IntN(3)
	s.started = s.started || s.registered()
	cmd, done := s.stint(random, took, s.start(s.command()), func(cmd *running) {
		if victim > 0 {
			killed = s.killWorkers() > 0
		}
		if victim < 2 {
			_ = cmd.Process.Kill() // it may have ended a moment ago
			killed = cmd.wait() < 0 || killed
		}
	})
	if !cmd.endedWith(exitOK, exitInterrupted) && victim == 2 {
		s.t.Fatalf("%v ended with exit code %d:\n%s", cmd.Args, cmd.ProcessState.ExitCode(), cmd.said.String())
	}
	return killed, done
}

// stint has the sweep work for a random while, something happen to it, and the coordinator stopped as a person would, where it works on.
// done says that the sweep was finished before. Whatever happened, no worker may be left that its coordinator does not know.
func (s *testSweep) stint(random *rand.Rand, took time.Duration, cmd *running, strike func(*running)) (ended *running, done bool) {
	s.t.Helper()
	defer s.mustKnowItsWorkers()
	select {
	case <-cmd.ended:
		if !cmd.endedWith(exitOK) {
			s.t.Fatalf("%v ended with exit code %d:\n%s", cmd.Args, cmd.ProcessState.ExitCode(), cmd.said.String())
		}
		return cmd, true
	case <-time.After(time.Duration(random.ExpFloat64() * float64(took) / 12)): // at each stage of the work, mostly early ones
	}
	strike(cmd)
	select {
	case <-cmd.ended:
		return cmd, false
	case <-time.After(time.Duration(random.Float64() * float64(took) / 24)):
	}
	_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended a moment ago
	cmd.wait()
	return cmd, false
}

// mustKnowItsWorkers fails where a worker lives that the database does not know, for a coordinator writes down what it is about to start,
// or still lives after 10 s whose attempt it calls ended.
func (s *testSweep) mustKnowItsWorkers() {
	s.t.Helper()
	const patience = 10 * time.Second
	for since := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		look := s.aside
		if look == nil {
			look = func() ([]trial.AttemptID, string) { return s.workersAttempts(), s.rootDir() }
		}
		left, root := look()
		l := readLedger(s.t, root)
		left = slices.DeleteFunc(left, func(id trial.AttemptID) bool {
			ended, known := l.ended[id]
			if !known {
				s.t.Errorf("a worker trains %s, which the database does not know", id)
			}
			return !ended
		})
		if len(left) == 0 {
			return
		}
		if time.Since(since) > patience {
			s.t.Errorf("workers still live whose attempts the database calls ended: %v", left)
			return
		}
	}
}

// workersAttempts returns the attempts that a living worker trains.
func (s *testSweep) workersAttempts() (attempts []trial.AttemptID) {
	folders, err := filepath.Glob(filepath.Join(s.rootDir(), "trials", "*", "*"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, dir := range folders {
		if alive, err := trial.WorkerAlive(dir); err == nil && alive {
			attempts = append(attempts, attemptOf(dir))
		}
	}
	return attempts
}

// attemptOf names the attempt that a folder belongs to.
func attemptOf(dir string) trial.AttemptID {
	return trial.AttemptID(filepath.Base(filepath.Dir(dir)) + "/" + filepath.Base(dir))
}

// discard removes what a finished sweep left, where nothing is wrong with it: thousands of them fill a disk.
func (s *testSweep) discard() {
	if !s.t.Failed() {
		_ = os.RemoveAll(s.dir)
	}
}

// numberFrom returns the number in an environment variable, or the usual one.
func numberFrom(t *testing.T, variable string, usual int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}

// rounds returns how often the i-th row of a table of faults is tried. Without make crash it is one row in four.
func rounds(t *testing.T, i int, seed uint64) int {
	t.Helper()
	if os.Getenv(roundsVariable) == "" && uint64(i)%4 != seed%4 {
		return 0
	}
	return numberFrom(t, roundsVariable, 1)
}

// seedOf returns the seed of a test's accidents.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	if text := os.Getenv(seedVariable); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", seedVariable, err)
		}
		return seed
	}
	seed := rand.Uint64() >> 32
	t.Logf("%s=%d has the same happen again", seedVariable, seed)
	return seed
}

// endedWith reports whether the exit code is one of these. A coordinator that has only just begun does not catch SIGTERM yet, and dies of
// it.
func (r *running) endedWith(codes ...int) bool {
	code := r.wait()
	status, ok := r.ProcessState.Sys().(syscall.WaitStatus)
	early := ok && status.Signaled() && status.Signal() == syscall.SIGTERM
	return early || slices.Contains(codes, code)
}

// cleanly says what is wrong with how a coordinator ended to which anything may have happened: with a panic, or without a word.
func (r *running) cleanly() error {
	r.wait()
	said := r.said.String()
	if strings.Contains(said, "panic: ") || strings.Contains(said, "goroutine ") || strings.Contains(said, "fatal error: ") {
		return fmt.Errorf("%v panicked:\n%s", r.Args, said)
	}
	if !r.ProcessState.Success() && r.ProcessState.ExitCode() > 0 && strings.TrimSpace(said) == "" {
		return fmt.Errorf("%v ended with exit code %d and says nothing", r.Args, r.ProcessState.ExitCode())
	}
	return nil
}
