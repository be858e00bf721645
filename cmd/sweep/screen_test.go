package main

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// screenedReport is what a report says of a screening.
type screenedReport struct {
	Strategy string
	Ladders  []struct {
		Verdict struct {
			Screening struct{ Rank, Knee, From int }
		}
		Rungs []struct {
			Rank         int
			ScreenedLoss *struct{ Mean float64 } `json:"screened_loss"`
			Trials       []struct {
				State   string
				ValLoss *float64 `json:"val_loss"`
			}
		}
	}
}

// TestScreen trains a screened ladder in real workers: the top rank is screened at every lower one, the ranks from the lowest of the
// climb on are trained, each to the same losses as in a ladder. A sweep whose coordinator and workers are killed while the top
// rank trains or is screened ends alike.
func TestScreen(t *testing.T) {
	t.Parallel()
	ladder, s := newTestSweep(t, backend.PlatformGo, 30), newTestSweep(t, backend.PlatformGo, 30)
	s.edit("seeds:", "strategy: screen\nseeds:")
	ladder.finish()
	s.finish()
	var got screenedReport
	if err := json.Unmarshal([]byte(s.report()), &got); err != nil {
		t.Fatal(err)
	}
	l := got.Ladders[0]
	if got.Strategy != "screen" || l.Verdict.Screening.Rank != 4 || l.Rungs[0].ScreenedLoss == nil || l.Rungs[1].ScreenedLoss == nil ||
		l.Rungs[2].ScreenedLoss != nil {
		t.Fatalf("report %+v", got)
	}
	want, _ := ladder.snapshot()
	have, _ := s.snapshot()
	for i, r := range have.Ladders[0].Rungs {
		for j, f := range r.Trials {
			if f.Final() == nil {
				if r.Rank >= l.Verdict.Screening.From {
					t.Errorf("rank %d of a climb from %d was not trained", r.Rank, l.Verdict.Screening.From)
				}
				continue
			}
			same := want.Ladders[0].Rungs[i].Trials[j].Final()
			if same == nil || *same.ValLoss != *f.Final().ValLoss {
				t.Errorf("rank %d: val_loss %v, in a ladder %+v", r.Rank, *f.Final().ValLoss, same)
			}
			if r.Rank == 4 && !slices.EqualFunc(f.Screened, []int{1, 2},
				func(s trial.Screened, rank int) bool { return s.Rank == rank && s.ValLoss > 0 }) {
				t.Errorf("screened %+v", f.Screened)
			}
		}
	}

	killed := newTestSweep(t, backend.PlatformGo, 30)
	killed.edit("seeds:", "strategy: screen\nseeds:")
	r := killed.start(killed.command())
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		snapshot, ok := killed.snapshot()
		if ok && len(snapshot.Ladders) > 0 && snapshot.Ladders[0].Rungs[2].Trials[0].LastStep >= 5 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the top rank does not train: %s", r.said.String())
		}
	}
	if err := r.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed.killWorkers()
	r.wait()
	killed.started = true
	killed.finish()
	if diff := cmp.Diff(s.report(), killed.report()); diff != "" {
		t.Errorf("after a kill the report is another (-uninterrupted +killed):\n%s", diff)
	}
}
