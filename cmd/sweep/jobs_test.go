package main

import (
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/executor/local"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// A grid that would take years is planned, so that only measurements run.
func TestJobsAutoMeasuresALongSweepOnce(t *testing.T) {
	t.Parallel()
	if len(local.Cores()) < 2 {
		t.Skip("one core: nothing to choose")
	}
	s := newTestSweep(t, backend.PlatformGo, 1_000_000_000)
	const measures = "measuring a few steps of 2 trials at once"
	for i, want := range []bool{true, false} {
		out, err := s.sweep("plan", s.path("grid.yaml"), "--backend", s.platform).CombinedOutput()
		if err != nil || strings.Contains(string(out), measures) != want {
			t.Errorf("plan %d: error %v, measures: want %v\n%s", i+1, err, want, out)
		}
	}
	out, err := s.sweep("plan", s.path("grid.yaml"), "--backend", s.platform, "--jobs", "2").CombinedOutput()
	if err != nil || strings.Contains(string(out), measures) {
		t.Errorf("plan with two jobs: %v\n%s", err, out)
	}
}
