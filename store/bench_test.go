package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

func largeRegistration(ladders int) sweep.Registration {
	alphas := make([]float64, ladders)
	for i := range alphas {
		alphas[i] = float64(i + 1)
	}
	r := sweeptest.Registration(alphas, sweeptest.LargeRanks(), sweeptest.LargeSeeds())
	var modules []lora.Module
	for i := range 100 {
		modules = append(modules, lora.Module{Name: fmt.Sprintf("transformer.h.%d.attn.c_attn", i), In: 128, Out: 384})
	}
	for i := range r.Ladders {
		r.Ladders[i].Model.Modules = modules
	}
	return r
}

func BenchmarkRegister(b *testing.B) {
	sweeptest.Sizes(b, func(b *testing.B, ladders int) {
		b.Helper()
		r := largeRegistration(ladders)
		for b.Loop() {
			b.StopTimer()
			db, id := created(b, filepath.Join(b.TempDir(), "sweep.db"))
			b.StartTimer()
			if err := db.Register(b.Context(), id, r); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			if err := db.Close(); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	})
}

// BenchmarkRegisterAgain is what a resumed sweep does.
func BenchmarkRegisterAgain(b *testing.B) {
	sweeptest.Sizes(b, func(b *testing.B, ladders int) {
		b.Helper()
		r := largeRegistration(ladders)
		db, id := created(b, filepath.Join(b.TempDir(), "sweep.db"))
		defer db.Close() //nolint:errcheck // every write is committed
		if err := db.Register(b.Context(), id, r); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if err := db.Register(b.Context(), id, r); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func created(b *testing.B, path string) (*store.DB, int64) {
	b.Helper()
	db, err := store.Open(b.Context(), path)
	if err != nil {
		b.Fatal(err)
	}
	id, err := db.CreateSweep(b.Context(), sweeptest.Info("large", sweeptest.LargeSeeds()...))
	if err != nil {
		b.Fatal(err)
	}
	return db, id
}

// large returns a database with facts as those of sweeptest.Large, 20 points per trial, and the verdicts recorded that there are.
func large(b *testing.B, ladders int) (*store.DB, int64) {
	b.Helper()
	db, id := created(b, filepath.Join(b.TempDir(), "sweep.db"))
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	if err := db.Register(b.Context(), id, largeRegistration(ladders)); err != nil {
		b.Fatal(err)
	}
	for _, statement := range largeFacts() {
		if err := db.Exec(context.WithoutCancel(b.Context()), statement); err != nil {
			b.Fatalf("%v in %s", err, statement)
		}
	}
	return db, id
}

// largeFacts writes them in SQL: a transaction for each of its attempts would take minutes.
func largeFacts() []string {
	return []string{
		`CREATE TEMP TABLE losses AS
		SELECT lt.trial_id, CASE lt.rank WHEN 1 THEN 5 ELSE 4.8 END + 0.03 * lt.seed + 0.00001
			* ((31 * l.id + 7 * lt.rank + lt.seed) * 7919 % 101) AS loss
		FROM rung_trials lt JOIN ladders l ON l.id = lt.ladder_id
		WHERE CASE WHEN (l.id - 1) % 10 = 9 THEN lt.rank = 1 OR lt.rank = 2 AND lt.seed = 0 ELSE lt.rank < 16 END`,
		`INSERT INTO attempts (trial_id, number, intended_ns, assignment)
		SELECT trial_id, 1, 1, (SELECT json_object('attempt', trial_id || '/1', 'sweep', 'large', 'model', json(model)) FROM ladders LIMIT 1)
		FROM losses ORDER BY trial_id`,
		`INSERT INTO events (attempt_id, seq, at_ns, kind, step)
		WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 27)
		SELECT id, i, i, CASE WHEN i = 1 THEN 'started' WHEN i = 2 THEN 'predicted' WHEN i < 23 THEN 'point' WHEN i < 25 THEN 'eval'
			WHEN i = 25 THEN 'checkpoint' WHEN i = 26 THEN 'memory' ELSE 'ended' END,
			CASE WHEN i < 3 THEN 0 WHEN i < 23 THEN i - 2 WHEN i = 23 THEN 0 ELSE 20 END
		FROM attempts, n`,
		`INSERT INTO environments SELECT id, 1, 7, 'here', '[0]', 'xla-cpu', 'xla:cpu', '', '', '', 'cpu', '{}', 512 FROM attempts`,
		`INSERT INTO predictions SELECT id, 2, 500000000, 1000000000, 'analysis' FROM attempts`,
		`INSERT INTO points SELECT attempt_id, seq, 504 * step, 5, 1.25, 0.003 FROM events WHERE kind = 'point'`,
		`INSERT INTO evaluations (attempt_id, seq, val_loss, tokens, seconds)
		SELECT a.id, 23, 6, 630, 0.5 FROM attempts a UNION ALL
		SELECT a.id, 24, x.loss, 630, 0.5 FROM attempts a JOIN losses x ON x.trial_id = a.trial_id`,
		`INSERT INTO memory_peaks SELECT id, 26, 1000000000, 'VmHWM', NULL, '' FROM attempts`,
		`INSERT INTO outcomes
		(attempt_id, seq, state, error, step, val_loss, best_step, last_val_loss, train_loss, tokens, train_seconds, total_seconds)
		SELECT a.id, 27, 'done', '', 20, x.loss, 20, x.loss, x.loss - 0.1, 10080, 60, 61
		FROM attempts a JOIN losses x ON x.trial_id = a.trial_id`,
		`DROP TABLE losses`,
	}
}

func BenchmarkSnapshot(b *testing.B) {
	sweeptest.Sizes(b, func(b *testing.B, ladders int) {
		b.Helper()
		db, id := large(b, ladders)
		var s sweep.Snapshot
		for b.Loop() {
			var err error
			if s, err = db.Snapshot(b.Context(), id); err != nil {
				b.Fatal(err)
			}
		}
		if v := sweep.Conclude(s).Verdicts[0]; v.State != plateau.StatePlateau {
			b.Fatalf("the first ladder is %s: %s", v.State, v.Reason.Code)
		}
	})
}

// BenchmarkNext takes what a coordinator does from a trial's last word to the launch of the next one.
func BenchmarkNext(b *testing.B) {
	sweeptest.Sizes(b, func(b *testing.B, ladders int) {
		b.Helper()
		ctx, capacity, loss := context.WithoutCancel(b.Context()), sweep.Capacity{Jobs: 1}, 4.9
		var db *store.DB
		var s sweep.Snapshot
		var d sweep.Decider
		var starts []sweep.Launch
		renew := func() {
			var id int64
			db, id = large(b, ladders)
			var err error
			if s, err = db.Snapshot(b.Context(), id); err != nil {
				b.Fatal(err)
			}
			d = sweep.Decider{}
			starts = d.Decide(s, nil, capacity).Start
		}
		begin := func() trial.AttemptID {
			if len(starts) == 0 { // all is trained
				b.StopTimer()
				renew()
				b.StartTimer()
			}
			launch := starts[0]
			a := trial.Assignment{Attempt: trial.NewAttemptID(launch.Trial, launch.Number), Sweep: "large", Model: s.Ladders[launch.Ladder].Model}
			if err := db.BeginAttempt(ctx, launch.Trial, launch.Number, a, time.Now()); err != nil {
				b.Fatal(err)
			}
			return a.Attempt
		}
		renew()
		running := begin()
		for b.Loop() {
			var err error
			end := trial.Event{Seq: 1, At: time.Now(), Kind: trial.EventEnded, Outcome: &trial.Outcome{State: trial.OutcomeDone, ValLoss: &loss}}
			if err := db.AppendEvents(ctx, running, []trial.Event{end}); err != nil {
				b.Fatal(err)
			}
			if s, err = db.Refresh(ctx, s); err != nil {
				b.Fatal(err)
			}
			starts = d.Decide(s, nil, capacity).Start
			running = begin()
		}
	})
}

func BenchmarkList(b *testing.B) {
	sweeptest.Sizes(b, func(b *testing.B, ladders int) {
		b.Helper()
		db, id := large(b, ladders)
		s, err := db.Snapshot(b.Context(), id)
		if err != nil {
			b.Fatal(err)
		}
		for i, v := range sweep.Conclude(s).Verdicts {
			if v.State != plateau.StateRunning {
				record(b, db, s.Ladders[i].ID, v)
			}
		}
		for b.Loop() {
			list, err := db.List(b.Context())
			if err != nil || list[0].Done != ladders*112/10 || list[0].Verdicts[0] != plateau.StatePlateau {
				b.Fatalf("%+v, %v", list[0].Done, err)
			}
		}
	})
}

// record writes a verdict without the hash of its inputs, which would take longer than the benchmark.
func record(b *testing.B, db *store.DB, ladder int64, v plateau.Verdict) {
	b.Helper()
	text := fmt.Sprintf(`{"state": %q, "reason": {"code": %q}, "rungs": [%s]}`, v.State, v.Reason.Code, `{}`)
	err := db.Exec(b.Context(), `INSERT INTO ladder_verdicts (ladder_id, at_ns, rule_version, inputs_hash, verdict)
		VALUES (?, 1, ?, '', ?)`, ladder, plateau.Version, text)
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkCheck is what run and resume do before they write to a database.
func BenchmarkCheck(b *testing.B) {
	sweeptest.Sizes(b, func(b *testing.B, ladders int) {
		b.Helper()
		db, _ := large(b, ladders)
		for b.Loop() {
			if err := db.Check(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
