package store_test

import (
	"errors"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

func TestAppendRefusesBadFacts(t *testing.T) {
	t.Parallel()
	db, id := registered(t)
	first := registration().Ladders[0].Rungs[0].Trials[0].Trial
	launch(t, db, first, 1, script(4.5))
	launch(t, db, first, 2, nil)
	before := snapshot(t, db, id)
	tests := map[string]struct {
		event trial.Event
		want  string
	}{
		"no seq":        {trial.Event{Seq: 0, Kind: trial.EventCheckpoint}, "CHECK"},
		"no kind":       {trial.Event{Seq: 20}, "CHECK"},
		"negative step": {trial.Event{Seq: 20, Kind: trial.EventCheckpoint, Step: -1}, "CHECK"},
		"empty point":   {trial.Event{Seq: 20, Kind: trial.EventPoint, Step: 9}, "lacks"},
		"NaN": {
			trial.Event{Seq: 20, Kind: trial.EventPoint, Step: 9, Point: &trial.Point{TrainLoss: math.NaN()}},
			"NaN is not a finite number",
		},
		"infinity": {
			trial.Event{Seq: 20, Kind: trial.EventEval, Step: 9, Evaluation: &trial.Evaluation{ValLoss: math.Inf(1)}},
			"not a finite number",
		},
		"negative memory": {trial.Event{Seq: 20, Kind: trial.EventMemory, Memory: &trial.Memory{PeakHostBytes: new(int64(-1))}}, "CHECK"},
		"negative tokens": {trial.Event{Seq: 20, Kind: trial.EventPoint, Step: 9, Point: &trial.Point{Tokens: -1}}, "CHECK"},
		"unknown outcome": {trial.Event{Seq: 20, Kind: trial.EventEnded, Outcome: &trial.Outcome{State: "fine"}}, "FOREIGN KEY"},
		"done, no loss":   {trial.Event{Seq: 20, Kind: trial.EventEnded, Outcome: &trial.Outcome{State: trial.OutcomeDone}}, "CHECK"},
	}
	for name, tt := range tests {
		good := trial.Event{Seq: 1, Kind: trial.EventCheckpoint, Step: 1}
		err := db.AppendEvents(t.Context(), attempt(first, 2), []trial.Event{good, tt.event})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: AppendEvents() = %v, want %q", name, err, tt.want)
		}
	}
	second := trial.Event{Seq: 20, Kind: trial.EventEnded, Outcome: &trial.Outcome{State: trial.OutcomeCrashed}}
	if err := db.AppendEvents(t.Context(), attempt(first, 1), []trial.Event{second}); err == nil {
		t.Error("AppendEvents of a second outcome succeeded")
	}
	same := trial.Event{Seq: 20, Kind: trial.EventPoint, Step: 2, Point: &trial.Point{}}
	if err := db.AppendEvents(t.Context(), attempt(first, 1), []trial.Event{same}); err == nil {
		t.Error("AppendEvents of a second point of one step succeeded")
	}
	for _, id := range []trial.AttemptID{attempt(first, 3), "nonsense", "x/1"} {
		if err := db.AppendEvents(t.Context(), id, nil); err == nil {
			t.Errorf("AppendEvents(%s) succeeded", id)
		}
	}
	if err := db.BeginAttempt(t.Context(), "x", 1, trial.Assignment{}, moment(0)); !errors.Is(err, sweep.ErrNotFound) {
		t.Errorf("BeginAttempt of an unknown trial = %v, want ErrNotFound", err)
	}
	if err := db.BeginAttempt(t.Context(), first.ID, 0, trial.Assignment{}, moment(0)); err == nil {
		t.Error("BeginAttempt number 0 succeeded")
	}
	if diff := cmp.Diff(before, snapshot(t, db, id)); diff != "" {
		t.Errorf("refused facts changed the snapshot:\n%s", diff)
	}
}

func TestSchemaRefusesBadRows(t *testing.T) {
	t.Parallel()
	db, _ := registered(t)
	launch(t, db, registration().Ladders[0].Rungs[0].Trials[0].Trial, 1, script(4.5))
	for _, statement := range []string{
		`UPDATE points SET train_loss = 9e999`,
		`UPDATE points SET train_loss = -9e999`,
		`UPDATE points SET train_loss = NULL`,
		`UPDATE points SET train_loss = 'low'`,
		`UPDATE evaluations SET val_loss = 9e999`,
		`UPDATE outcomes SET val_loss = NULL`,
		`UPDATE outcomes SET state = 'fine'`,
		`UPDATE rung_trials SET rank = 0`,
		`UPDATE rung_trials SET trial_id = 'x'`,
		`UPDATE sweeps SET patience = 0`,
		`UPDATE sweeps SET confidence = 1`,
		`UPDATE sweeps SET seeds = 'none'`,
		`UPDATE trial_specs SET spec = json_set(spec, '$.lora.r', 0)`,
		`UPDATE trial_specs SET spec = json_set(spec, '$.lora.full', json('true'))`,
		`UPDATE attempts SET number = 0`,
		`DELETE FROM sweeps`,
		`DELETE FROM attempts`,
		`DELETE FROM events`,
		`INSERT INTO outcomes SELECT * FROM outcomes`,
		`INSERT INTO sessions VALUES (9, 1, '', 1, '', 0, '', '', 5, 6, NULL, -1)`,
	} {
		if err := db.Exec(t.Context(), statement); err == nil {
			t.Errorf("%s succeeded", statement)
		}
	}
}

func TestFullDiskLosesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sweep.db")
	db := openAt(t, path)
	id := register(t, db, "first")
	first := registration().Ladders[0].Rungs[0].Trials[0].Trial
	launch(t, db, first, 1, script(4.5)[:3])
	before := snapshot(t, db, id)
	if err := db.LimitPages(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	var events []trial.Event
	for i := range 2000 {
		events = append(events, trial.Event{Seq: int64(4 + i), At: moment(i), Kind: trial.EventPoint, Step: 1 + i, Point: &trial.Point{}})
	}
	err := db.AppendEvents(t.Context(), attempt(first, 1), events)
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "the disk is full: free some space") {
		t.Errorf("AppendEvents on a full disk = %v, want the path and the fix", err)
	}
	if diff := cmp.Diff(before, snapshot(t, db, id)); diff != "" {
		t.Errorf("the failed append changed the snapshot:\n%s", diff)
	}
	if err := db.LimitPages(t.Context(), 1<<20); err != nil {
		t.Fatal(err)
	}
	if err := db.AppendEvents(t.Context(), attempt(first, 1), events); err != nil {
		t.Errorf("AppendEvents after space was freed = %v", err)
	}
}

func TestVerdictsAreAppendedOnce(t *testing.T) {
	t.Parallel()
	db, id := registered(t)
	ladders := snapshot(t, db, id).Ladders
	running := plateau.Verdict{State: plateau.StateRunning, EquivalentRanks: []int{}}
	rule := plateau.Verdict{
		State: plateau.StatePlateau, RecommendedRank: 8, BestRank: 16, EquivalentRanks: []int{8, 16}, Probability: new(0.75),
		MinGain: 0.02, Reason: plateau.Finding{Code: plateau.ReasonPlateau},
	}
	for i, v := range []plateau.Verdict{running, running, rule, rule} {
		if err := db.RecordVerdict(t.Context(), ladders[0].ID, v, moment(i)); err != nil {
			t.Fatalf("RecordVerdict() = %v", err)
		}
	}
	got, err := db.Query(t.Context(), `SELECT count(*), count(DISTINCT inputs_hash), max(rule_version) FROM ladder_verdicts`)
	if diff := cmp.Diff([][]string{{"2", "1", strconv.Itoa(plateau.Version)}}, got); err != nil || diff != "" {
		t.Errorf("stored verdicts: %v (-want +got):\n%s", err, diff)
	}
	launch(t, db, ladders[0].Rungs[0].Trials[0].Trial, 1, script(4.5))
	if err := db.RecordVerdict(t.Context(), ladders[0].ID, running, moment(9)); err != nil {
		t.Fatal(err)
	}
	got, err = db.Query(t.Context(), `SELECT count(*), count(DISTINCT inputs_hash) FROM ladder_verdicts`)
	if diff := cmp.Diff([][]string{{"3", "2"}}, got); err != nil || diff != "" {
		t.Errorf("stored verdicts after an outcome: %v (-want +got):\n%s", err, diff)
	}
	if err := db.RecordVerdict(t.Context(), 99, rule, moment(0)); !errors.Is(err, sweep.ErrNotFound) {
		t.Errorf("RecordVerdict of an unknown ladder = %v, want ErrNotFound", err)
	}
}

func TestTwoCoordinatorsMayCreateTheFileAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "runs", "sweep.db")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			db, err := store.Open(t.Context(), path)
			if err != nil {
				t.Errorf("Open() = %v", err)
				return
			}
			if err := db.Close(); err != nil {
				t.Errorf("Close() = %v", err)
			}
		})
	}
	wg.Wait()
}

func TestUnwritableRoot(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"below a file": "/dev/null/runs/sweep.db", "below /proc": "/proc/runs/sweep.db"} {
		_, err := store.Open(t.Context(), path)
		if err == nil || !strings.Contains(err.Error(), "--root") || !strings.Contains(err.Error(), filepath.Dir(path)) &&
			!strings.Contains(err.Error(), filepath.Dir(filepath.Dir(path))) {
			t.Errorf("Open %s = %v, want the place and the fix", name, err)
		}
	}
}
