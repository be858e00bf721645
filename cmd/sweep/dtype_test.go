package main

import (
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

func TestDtypeAutoIsDecidedWhereTheSweepBegins(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 4)
	s.edit("steps: 4,", "steps: 4, dtype: auto,")
	for _, command := range []string{"validate", "plan"} {
		args := []string{command, s.path("grid.yaml")}
		if command == "plan" {
			args = append(args, "--backend", s.platform)
		}
		if out, err := s.sweep(args...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	out, err := s.command().CombinedOutput()
	if err != nil || !strings.Contains(string(out), "train.dtype auto is float32: products in bfloat16 were not measured") {
		t.Fatalf("run: %v\n%s", err, out)
	}
	snapshot, ok := s.snapshot()
	if !ok {
		t.Fatal("no sweep")
	}
	for _, rung := range snapshot.Ladders[0].Rungs {
		for _, f := range rung.Trials {
			if got := f.Trial.Spec().Train.Dtype; got != trial.DtypeFloat32 {
				t.Errorf("trial %s of rank %d has dtype %q", f.Trial.ID, rung.Rank, got)
			}
		}
	}
}
