package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
	"github.com/ranksweep/ranksweep/trainer/backend/backendtest"
)

// TestSweepOnAGPU runs all that is not the GPU itself: two jobs share a device whose driver, memory and name are made up and which
// computes on the CPU.
func TestSweepOnAGPU(t *testing.T) {
	t.Parallel()
	cpu, err := backend.Resolve(t.Context(), backend.PlatformCPU)
	if err != nil {
		t.Skipf("SKIPPED, needs the XLA CPU plug-in: %v", err)
	}
	plugin, env := backendtest.GPU(t, cpu.PluginPath)
	s := newTestSweep(t, plugin, 5)
	s.edit("rank: [1, 2, 4]", "rank: [1]")
	s.env = env
	out, err := s.sweep("backend", "list", "--resolve", "--backend", plugin, "-o", "json").Output()
	var choice backend.Choice
	if err == nil {
		err = json.Unmarshal(out, &choice)
	}
	if err != nil || choice.Platform != backend.PlatformCUDA || len(choice.Devices) != 1 || choice.DeviceBytes != 1<<30 {
		t.Fatalf("backend list --resolve = %s, %v, want CUDA and one device of 1 GiB", out, err)
	}
	s.finish()
	snapshot, ok := s.snapshot()
	if !ok {
		t.Fatal("no sweep")
	}
	for _, r := range snapshot.Ladders[0].Rungs {
		for _, tr := range r.Trials {
			m := tr.Memory
			if m.PeakDeviceBytes == nil || *m.PeakDeviceBytes != 300<<20 || m.DeviceSource != "PJRT allocator peak" || tr.State() != "done" {
				t.Errorf("trial %s is %s with memory %+v, want it done with the allocator's peak", tr.Trial.ID, tr.State(), m)
			}
		}
	}
	specs, err := filepath.Glob(s.path("runs", "trials", "*", "*", trial.SpecFile))
	if err != nil || len(specs) != 2 {
		t.Fatalf("%d attempts, %v, want 2", len(specs), err)
	}
	for _, path := range specs {
		var a trial.Assignment
		text, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(text, &a)
		}
		if err != nil || a.Device != 0 || !a.SharedDevice || a.MemoryLimit != 1<<30 || a.Platform != backend.PlatformCUDA {
			t.Errorf("%s: %+v, %v, want device 0, shared, and all of its memory", path, a, err)
		}
	}
}
