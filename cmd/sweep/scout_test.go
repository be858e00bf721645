package main

import (
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// scouted is what sweep scout -o json says.
type scouted struct {
	Schema         string
	Recommendation struct {
		Estimate        bool
		RecommendedRank int `json:"recommended_rank"`
	}
	Curve []struct {
		Rank    int
		ValLoss float64 `json:"val_loss"`
		Error   float64
	}
	Steps           int
	StepsExhaustive int `json:"steps_exhaustive"`
}

func (s *testSweep) scout() *exec.Cmd {
	return s.sweep("scout", s.path("grid.yaml"), "--backend", s.platform, "-o", "json")
}

// scoutTrial returns what is stored of the scout.
func (s *testSweep) scoutTrial() (sweep.TrialFacts, bool) {
	db, err := store.OpenReadOnly(s.t.Context(), s.path("runs", "sweep.db"))
	if err != nil {
		return sweep.TrialFacts{}, false
	}
	defer db.Close() //nolint:errcheck // read only
	info, err := db.Find(s.t.Context(), "test-scout")
	if err != nil {
		return sweep.TrialFacts{}, false
	}
	snapshot, err := db.Snapshot(s.t.Context(), info.ID)
	if err != nil || len(snapshot.Ladders) == 0 || len(snapshot.Ladders[0].Scouts) == 0 {
		return sweep.TrialFacts{}, false
	}
	return snapshot.Ladders[0].Scouts[0], true
}

// TestScout scouts with a real worker: one trial, the loss of every rank, an estimate. Killed while it trains or shrinks it ends alike;
// a sweep by strategy: scout uses it again, and afterwards the curve says how far it was from what was trained.
func TestScout(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 30)
	out, err := s.scout().Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	checkSchema(t, out)
	var got scouted
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if got.Schema != "sweep.scout/v1" || !got.Recommendation.Estimate || got.Recommendation.RecommendedRank == 0 || len(got.Curve) != 3 ||
		got.Steps != 36 || got.StepsExhaustive != 180 {
		t.Fatalf("scout %s", out)
	}
	for i, p := range got.Curve {
		if p.Rank != 1<<i || !(p.ValLoss > 0) || (p.Error > 0) != (p.Rank < 4) { // the largest rank is trained like any trial
			t.Errorf("point %+v", p)
		}
	}

	planned, err := s.sweep("plan", s.path("grid.yaml"), "--backend", s.platform, "-o", "json", "-q").Output()
	var plan struct{ Protocols []sweep.Protocol }
	if err := errors.Join(err, json.Unmarshal(planned, &plan)); err != nil || len(plan.Protocols) != 3 {
		t.Fatalf("%v: %s", err, planned)
	}
	if scout, all := plan.Protocols[1], plan.Protocols[2]; scout.Name != sweep.ProtocolScout || scout.MostTrials != 6 || all.MostTrials != 6 {
		t.Errorf("with a finished scout a plan has %+v and %+v", scout, all)
	}

	for _, step := range []int{5, 32} {
		killed := newTestSweep(t, backend.PlatformGo, 30)
		r := killed.start(killed.scout())
		for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
			if f, ok := killed.scoutTrial(); ok && (f.LastStep >= step || f.Final() != nil) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("the scout does not train: %s", r.said.String())
			}
		}
		if err := r.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		killed.killWorkers()
		r.wait()
		again, err := killed.scout().Output()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(out), string(again)); diff != "" {
			t.Errorf("after a kill at step %d the curve is another (-uninterrupted +killed):\n%s", step, diff)
		}
	}

	s.edit("seeds:", "strategy: scout\nseeds:")
	s.finish()
	trial, _ := s.scoutTrial()
	if n := len(trial.Attempts); n != 1 {
		t.Errorf("the scout has %d attempts", n)
	}
	if report := s.report(); !strings.Contains(report, `"scout": true`) || !strings.Contains(report, `"screened_loss"`) {
		t.Errorf("the report does not say what the scout showed: %s", report)
	}
	text, err := s.sweep("resume", "test-scout").Output()
	if err != nil || !strings.Contains(string(text), "difference") || !strings.Contains(string(text), "Try rank ") ||
		strings.Contains(string(text), "trained by itself") {
		t.Errorf("after ranks were trained: %v\n%s", err, text)
	}
	list, err := s.sweep("list", "-o", "csv").Output()
	if err != nil || !strings.Contains(string(list), "test-scout,finished,") || !strings.Contains(string(list), ",1,1,1,0,0,") {
		t.Errorf("list counts more than the scout: %v\n%s", err, list)
	}
	if text, err := s.sweep("status", "test-scout").Output(); err != nil || !strings.Contains(string(text), "scout of rank 4: trial ") {
		t.Errorf("status: %v\n%s", err, text)
	}
}

// TestScoutRefuses names what a scout cannot follow to another rank, before anything is kept.
func TestScoutRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ old, new, want string }{
		"dora":     {"dropout: 0.1", "dropout: 0.1, use_dora: true", "lora.use_dora: strategy: scout truncates updates"},
		"one rank": {"rank: [1, 2, 4]", "rank: [4]", "lora.rank: one rank has no curve"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTestSweep(t, backend.PlatformGo, 30)
			s.edit(tt.old, tt.new)
			out, err := s.scout().CombinedOutput()
			if err == nil || !strings.Contains(string(out), tt.want) {
				t.Errorf("%v: %s", err, out)
			}
			if _, ok := s.scoutTrial(); ok {
				t.Error("it left a trial")
			}
		})
	}
}
