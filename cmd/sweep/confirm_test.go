package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// doubtfulMinGain is a min_gain, in nats, at which the snapshot's ladder would stop on a likely plateau with a patience of 1.
func doubtfulMinGain(t *testing.T, s sweep.Snapshot) float64 {
	t.Helper()
	var rungs []sweep.Losses
	for _, r := range s.Ladders[0].Rungs {
		rungs = append(rungs, r.Losses())
	}
	rule := s.Sweep.Rule
	rule.Patience = 1
	for gain := 1.0; gain > 1e-6; gain *= 0.9 {
		rule.MinGain = sweep.MinGain{Value: gain}
		if v, err := rule.Judge(rungs); err == nil && v.State == sweep.StateLikelyPlateau {
			return gain
		}
	}
	t.Fatal("no min_gain leaves the ladder in doubt")
	return 0
}

// extraAttempts counts the attempts of trials of extra seeds.
func (s *testSweep) extraAttempts() (n int) {
	snapshot, _ := s.snapshot()
	for _, l := range snapshot.Ladders {
		for _, r := range l.Rungs {
			for _, t := range r.Trials {
				if t.Extra {
					n += len(t.Attempts)
				}
			}
		}
	}
	return n
}

// TestConfirm certifies the plateau of a finished sweep with further seeds, is killed in between, and has nothing to do the
// second time.
func TestConfirm(t *testing.T) {
	t.Parallel()
	pilot, s := newTestSweep(t, backend.PlatformGo, 30), newTestSweep(t, backend.PlatformGo, 30)
	pilot.finish()
	snapshot, _ := pilot.snapshot()
	s.edit("{patience: 3}", fmt.Sprintf("{patience: 1, min_gain: %v}", doubtfulMinGain(t, snapshot)))
	s.finish()
	snapshot, _ = s.snapshot()
	if v := sweep.Conclude(snapshot, 0); v.State != sweep.StateLikelyPlateau {
		t.Fatalf("before: %s (%s)", v.State, v.Reason)
	}

	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no such sweep":  {[]string{"confirm", "nothing"}, exitNotFound, "test"},
		"no name":        {[]string{"confirm"}, exitUsage, "arg"},
		"too few seeds":  {[]string{"confirm", "test", "--max-seeds", "2"}, exitUsage, "--max-seeds 3"},
		"no seeds":       {[]string{"confirm", "test", "--max-seeds", "0"}, exitUsage, "--max-seeds 0"},
		"another number": {[]string{"confirm", "test", "--max-seeds", "x"}, exitUsage, "--max-seeds"},
	} {
		r := s.start(s.sweep(test.args...))
		if code := r.wait(); code != test.code || !strings.Contains(r.said.String(), test.want) {
			t.Errorf("%s: exit %d, said %s", name, code, r.said.String())
		}
	}

	cmd := s.start(s.sweep("confirm", "test", "--max-seeds", "4", "--backend", "go", "--jobs", "1"))
	until(t, "an extra seed", func() bool { return s.extraAttempts() > 0 })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.wait()
	s.killWorkers()
	s.started = true
	s.finish()
	snapshot, _ = s.snapshot()
	v := sweep.Conclude(snapshot, 0)
	if rule := snapshot.Sweep.Rule; !rule.Confirm || rule.MaxSeeds != 4 || v.State == sweep.StateRunning || v.Draw != nil {
		t.Errorf("after: %s, draw %v, confirm %v, max_seeds %d", v.State, v.Draw, rule.Confirm, rule.MaxSeeds)
	}
	var extra []int64
	for _, f := range snapshot.Ladders[0].Rungs[0].Trials {
		if f.Extra && f.Final() != nil {
			extra = append(extra, f.Trial.Spec.Seed)
		}
	}
	if diff := cmp.Diff([]int64{2, 3}, extra); diff != "" {
		t.Errorf("extra seeds of rank 1 (-want +got):\n%s", diff)
	}

	before := s.attempts()
	out, err := s.sweep("confirm", "test", "--max-seeds", "4", "--backend", "go").Output()
	if err != nil || !strings.Contains(string(out), "rank") || s.attempts() != before {
		t.Errorf("confirm again: %v, %d new attempts\n%s", err, s.attempts()-before, out)
	}
}
