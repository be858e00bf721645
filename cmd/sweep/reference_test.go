package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// newReferredSweep is a test sweep of two ranks and full fine-tuning. plain.yaml is the same without the latter.
func newReferredSweep(t *testing.T) *testSweep {
	t.Helper()
	s := newTestSweep(t, backend.PlatformGo, 60)
	text, err := os.ReadFile(s.path("grid.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for file, replaced := range map[string][2]string{
		"grid.yaml": {"rank: [1, 2, 4]", "rank: [1, 2, full]"}, "plain.yaml": {"name: test\n", "name: plain\n"},
	} {
		grid := strings.Replace(string(text), replaced[0], replaced[1], 1)
		if err := os.WriteFile(s.path(file), []byte(strings.Replace(grid, "[1, 2, 4]", "[1, 2]", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// found is verdict and rungs of the first ladder, as the report's JSON has it.
func (s *testSweep) found(name string) string {
	s.t.Helper()
	out, err := s.sweep("report", name, "-o", "json").Output()
	checkSchema(s.t, out)
	var report struct {
		Ladders []struct{ Verdict, Rungs json.RawMessage }
	}
	if err != nil || json.Unmarshal(out, &report) != nil || len(report.Ladders) != 1 {
		s.t.Fatalf("report of %s: %v\n%s", name, err, out)
	}
	return string(report.Ladders[0].Verdict) + string(report.Ladders[0].Rungs)
}

func (s *testSweep) reference() []sweep.TrialFacts {
	snapshot, ok := s.snapshot()
	if !ok || len(snapshot.Ladders) == 0 {
		return nil
	}
	return snapshot.Ladders[0].Reference
}

// TestReferenceIsTrainedResumedAndRead: killed in the middle of full fine-tuning a sweep goes on from there to the same report; its
// weights score again what they did, status, plan and show know it, and the ranks' verdict is what it is without.
func TestReferenceIsTrainedResumedAndRead(t *testing.T) {
	t.Parallel()
	whole, s := newReferredSweep(t), newReferredSweep(t)
	cmd := s.start(s.command())
	until(t, "the reference's checkpoint", func() bool {
		r := s.reference()
		return len(r) > 0 && len(r[0].Attempts) > 0 && r[0].Attempts[0].CheckpointStep > 0
	})
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.wait()
	s.killWorkers()
	s.finish()
	whole.finish()
	if diff := cmp.Diff(whole.report(), s.report()); diff != "" {
		t.Errorf("report (-uninterrupted +killed):\n%s", diff)
	}
	facts := s.reference()
	if len(facts) != 2 || facts[0].State() != sweep.TrialDone || len(facts[0].Attempts) < 2 {
		t.Fatalf("reference after a kill: %+v", facts)
	}
	id := string(facts[0].Trial.ID)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"report", "test"}, "full fine-tuning at learning rate 0.002 reaches "},
		{[]string{"status", "test"}, "│ full │    0 │ " + id},
		{[]string{"show", id}, "full fine-tuning, seed 0"},
		{[]string{"plan", s.path("grid.yaml"), "--no-calibrate"}, "│ full │       │         │"},
	} {
		out, err := s.sweep(c.args...).Output()
		if err != nil || !strings.Contains(string(out), c.want) {
			t.Errorf("sweep %s lacks %q: %v\n%s", strings.Join(c.args, " "), c.want, err, out)
		}
	}
	out, err := s.sweep("eval", "--trial", id, "--backend", "go", "-o", "json").Output()
	var scored struct {
		Loss    float64 `json:"loss"`
		ValLoss float64 `json:"val_loss"`
	}
	if err != nil || json.Unmarshal(out, &scored) != nil || scored.Loss == 0 || scored.Loss != scored.ValLoss {
		t.Errorf("eval of the trained weights: %v\n%s", err, out)
	}
	out, err = s.sweep("export", "test", "--full", "--seed", "0", "--merged", "--to", s.path("merged")).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "full fine-tuning, seed 0") {
		t.Fatalf("export: %v\n%s", err, out)
	}
	card, err := os.ReadFile(s.path("merged", cardFile))
	if err != nil || !strings.Contains(string(card), "full fine-tuning at learning rate 0.002 reaches") {
		t.Errorf("its card: %v\n%s", err, card)
	}
	out, err = s.sweep("eval", "--trial", id, "--model", s.path("merged"), "--backend", "go", "-o", "json").Output()
	merged := scored
	if err != nil || json.Unmarshal(out, &merged) != nil || merged.Loss != scored.Loss {
		t.Errorf("the merged model does not score %v: %v\n%s", scored.Loss, err, out)
	}
	if out, err := s.sweep("run", s.path("plain.yaml"), "--backend", "go").CombinedOutput(); err != nil {
		t.Fatalf("the grid without full: %v\n%s", err, out)
	}
	if diff := cmp.Diff(s.found("plain"), s.found("test")); diff != "" {
		t.Errorf("verdict and rungs (-without +with full):\n%s", diff)
	}
	out, err = s.sweep("export", "plain", "--full", "--merged", "--to", s.path("none")).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "end lora.rank in full") {
		t.Errorf("export of what was not trained: %v\n%s", err, out)
	}
}
