package store_test

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sync/errgroup"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// ran is a root in which a sweep of two ladders ran and its coordinator has ended: every outcome of an attempt, one of the coordinator's
// own, an extra seed, a wish to confirm, a verdict, time spent. It returns the root and the sweep's snapshot.
func ran(t *testing.T) (string, sweep.Snapshot) {
	t.Helper()
	root := t.TempDir()
	db := openAt(t, filepath.Join(root, "sweep.db"))
	id := register(t, db, "first")
	session := started(t, db, id)
	l := registration().Ladders
	written(t, db, root, l[0].Rungs[0].Trials[0].Trial, 1, script(4.5))
	crashed := trial.Event{
		Seq: 3, At: moment(103), Kind: trial.EventEnded, Outcome: &trial.Outcome{State: trial.OutcomeCrashed, Error: "signal: killed"},
	}
	second := l[0].Rungs[0].Trials[1].Trial
	written(t, db, root, second, 1, script(4.25)[:2])
	must(t, db.AppendEvents(t.Context(), attempt(second, 1), []trial.Event{crashed}))
	must(t, trial.WriteOutcome(attempt(second, 1).Dir(root), crashed))
	written(t, db, root, second, 2, script(4.25))
	ladders := snapshot(t, db, id).Ladders
	extra := makeTrial(16, 1, 7)
	must(t, db.AddTrials(t.Context(), ladders[0].ID, []sweep.ExtraTrial{{Rank: 1, PlannedTrial: sweep.PlannedTrial{Trial: extra}}}))
	must(t, db.Confirm(t.Context(), id, 4, moment(200)))
	written(t, db, root, extra, 1, script(4.375))
	verdict := plateau.Verdict{State: plateau.StateInconclusive, RecommendedRank: 1}
	must(t, db.RecordVerdict(t.Context(), ladders[0].ID, verdict, moment(300)))
	for _, kind := range []sweep.RequestKind{sweep.RequestPause, sweep.RequestCancel} {
		must(t, db.Ask(t.Context(), id, kind, moment(350)))
	}
	must(t, db.Retry(t.Context(), id, []trial.AttemptID{trial.NewAttemptID(l[0].Rungs[0].Trials[0].Trial.ID, 1)}, moment(351)))
	must(t, db.EndSession(t.Context(), session, instant(400)))
	keeper := store.Recorder{DB: db, Sweep: id}
	must(t, keeper.KeepLast(t.Context(), root, moment(400)))
	s := snapshot(t, db, id)
	must(t, db.Close())
	return root, s
}

func started(t *testing.T, db *store.DB, id int64) int64 {
	t.Helper()
	session, err := db.StartSession(t.Context(), id, instant(80), sweep.Coordinator{Host: "here", PID: os.Getpid()})
	must(t, err)
	return session
}

// written launches an attempt, and writes its folder as executor and worker do.
func written(t *testing.T, db *store.DB, root string, tr trial.Brief, number int, events []trial.Event) {
	t.Helper()
	launch(t, db, tr, number, events)
	inFolder(t, root, tr, number, events)
}

// inFolder writes an attempt's folder.
func inFolder(t *testing.T, root string, tr trial.Brief, number int, events []trial.Event) {
	t.Helper()
	dir, err := attempt(tr, number).MakeDir(root)
	must(t, err)
	must(t, trial.WriteAssignment(dir, trial.Assignment{Attempt: attempt(tr, number), Sweep: "first", Trial: tr.Trial(), Platform: "xla:cpu"}))
	events = slices.Clone(events)
	events[0].Attempt = attempt(tr, number)
	must(t, os.WriteFile(filepath.Join(dir, trial.EventsFile), logOf(t, events), 0o600))
}

func logOf(t *testing.T, events []trial.Event) (text []byte) {
	t.Helper()
	for _, e := range events {
		line, err := e.MarshalLine()
		must(t, err)
		text = append(text, line...)
	}
	return text
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// sameFacts compares snapshots of a sweep but for when attempts were begun, which the worker's first word tells about.
func sameFacts(t *testing.T, want, got sweep.Snapshot) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(sweep.AttemptFacts{}, "Intended")); diff != "" {
		t.Errorf("the sweep after the repair (-before +after):\n%s", diff)
	}
}

func reopened(t *testing.T, root string) sweep.Snapshot {
	t.Helper()
	db, err := store.OpenReadOnly(t.Context(), filepath.Join(root, "sweep.db"))
	must(t, err)
	defer db.Close() //nolint:errcheck // read only
	info, err := db.Find(t.Context(), "first")
	must(t, err)
	return snapshot(t, db, info.ID)
}

func TestRepair(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil func(t *testing.T, path string)
		found store.Health
		aside bool
	}{
		"nothing":   {func(*testing.T, string) {}, store.HealthSound, false},
		"lost":      {func(t *testing.T, path string) { t.Helper(); remove(t, path, path+"-wal", path+"-shm") }, store.HealthMissing, false},
		"zero":      {func(t *testing.T, path string) { t.Helper(); must(t, os.Truncate(path, 0)) }, store.HealthEmpty, true},
		"log alone": {orphanLog, store.HealthOrphan, true},
		"truncated": {func(t *testing.T, path string) {
			t.Helper()
			remove(t, path+"-wal")
			must(t, os.Truncate(path, 3*4096))
		}, store.HealthDamaged, true},
		"its last page": {func(t *testing.T, path string) {
			t.Helper()
			remove(t, path+"-wal")
			info, err := os.Stat(path)
			must(t, err)
			must(t, os.Truncate(path, info.Size()-100))
		}, store.HealthDamaged, true},
		"a link": {func(t *testing.T, path string) {
			t.Helper()
			must(t, os.Rename(path, path+".local"))
			must(t, os.Symlink(path+".local", path))
		}, store.HealthSound, false},
		"text": {func(t *testing.T, path string) {
			t.Helper()
			must(t, os.WriteFile(path, []byte("shopping list"), 0o600))
		}, store.HealthForeign, true},
		"foreign":  {foreignDatabase, store.HealthForeign, true},
		"bits":     {func(t *testing.T, path string) { t.Helper(); flipBits(t, path) }, store.HealthDamaged, true},
		"a row":    {statement(`UPDATE outcomes SET val_loss = 4.26 WHERE val_loss = 4.25`), store.HealthSound, true},
		"a view":   {statement(`DROP VIEW screened`), store.HealthSound, false},
		"its rows": {statement(`DELETE FROM outcomes`), store.HealthSound, false},
		"its end":  {statement(`DELETE FROM outcomes; DELETE FROM events WHERE kind = 'ended'`), store.HealthSound, false},
		"an old one": {
			func(t *testing.T, path string) {
				t.Helper()
				remove(t, path, path+"-wal")
				copyFile(t, "testdata/v1.db", path)
			}, store.HealthOld, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, want := ran(t)
			path := filepath.Join(root, "sweep.db")
			test.spoil(t, path)
			r, err := store.Repair(t.Context(), root, nothing)
			if err != nil || r.Found != test.found || (r.Aside != "") != test.aside || len(r.Losses) > 0 {
				t.Fatalf("Repair = %+v, %v, want it to find the database %s and move it aside: %t", r, err, test.found, test.aside)
			}
			if _, err := os.Stat(r.Aside); test.aside && err != nil && name != "log alone" {
				t.Errorf("the old database: %v", err)
			}
			sameFacts(t, want, reopened(t, root))
			again, err := store.Repair(t.Context(), root, nothing)
			if err != nil || again.Found != store.HealthSound || again.Aside != "" || len(again.TakenIn) > 0 {
				t.Errorf("Repair again = %+v, %v, want nothing to do", again, err)
			}
			left, err := filepath.Glob(filepath.Join(root, "sweep.db.repair-*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// TestRepairKeepsTheOrderOfRequests: the last word on a pause is the last after a repair, too.
func TestRepairKeepsTheOrderOfRequests(t *testing.T) {
	t.Parallel()
	root, _ := ran(t)
	db := openAt(t, filepath.Join(root, "sweep.db"))
	info, err := db.Find(t.Context(), "first")
	must(t, err)
	for _, kind := range []sweep.RequestKind{sweep.RequestPause, sweep.RequestResume, sweep.RequestPause} {
		must(t, db.Ask(t.Context(), info.ID, kind, moment(450)))
	}
	must(t, (&store.Recorder{DB: db, Sweep: info.ID}).KeepLast(t.Context(), root, moment(451)))
	must(t, db.Close())
	path := filepath.Join(root, "sweep.db")
	remove(t, path, path+"-wal", path+"-shm")
	r, err := store.Repair(t.Context(), root, nothing)
	if err != nil || len(r.Losses) > 0 {
		t.Fatalf("Repair = %+v, %v", r, err)
	}
	if asked := reopened(t, root).Sweep.Asked; !asked.Paused {
		t.Errorf("asked after the repair: %+v, want paused", asked)
	}
}

// TestKeepAside: at no moment lies a database without the log that holds what was written last, and aside lie both.
func TestKeepAside(t *testing.T) {
	t.Parallel()
	live, _ := ran(t)
	db := openAt(t, filepath.Join(live, "sweep.db"))
	info, err := db.Find(t.Context(), "first")
	must(t, err)
	must(t, db.Ask(t.Context(), info.ID, sweep.RequestResume, moment(500)))
	root := t.TempDir()
	path := filepath.Join(root, "sweep.db")
	for _, suffix := range []string{"", "-wal"} { // as a crash leaves them
		copyFile(t, db.Path()+suffix, path+suffix)
	}
	must(t, db.Close())
	aside, err := store.KeepAside(path)
	must(t, err)
	for _, name := range []string{path, path + "-wal"} {
		if _, err := os.Lstat(name); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v, want it to be gone", name, err)
		}
	}
	kept, err := store.OpenReadOnly(t.Context(), aside)
	must(t, err)
	defer kept.Close() //nolint:errcheck // read only
	if asked, err := kept.Asked(t.Context(), info.ID); err != nil || asked.Paused {
		t.Errorf("the database aside: asked %+v, %v, want what its log says", asked, err)
	}
}

func nothing() error { return nil }

func statement(text string) func(t *testing.T, path string) {
	return func(t *testing.T, path string) {
		t.Helper()
		db, err := sql.Open("sqlite3", path)
		must(t, err)
		_, err = db.ExecContext(t.Context(), text)
		must(t, errors.Join(err, db.Close()))
	}
}

func foreignDatabase(t *testing.T, path string) {
	t.Helper()
	remove(t, path, path+"-wal", path+"-shm")
	statement(`CREATE TABLE photographs (name TEXT); INSERT INTO photographs VALUES ('cat')`)(t, path)
}

func orphanLog(t *testing.T, path string) {
	t.Helper()
	remove(t, path)
	must(t, os.WriteFile(path+"-wal", []byte("some frames"), 0o600))
}

// flipBits changes the pages of the tables' rows, as a bad disk does.
func flipBits(t *testing.T, path string) {
	t.Helper()
	remove(t, path+"-wal") // which would mend them
	text, err := os.ReadFile(path)
	must(t, err)
	for page := 2; page < len(text)/4096; page += 3 {
		for i := range 16 {
			text[page*4096+i] ^= 0xff
		}
	}
	must(t, os.WriteFile(path, text, 0o600))
}

func remove(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	must(t, err)
	must(t, os.WriteFile(to, text, 0o600))
}

// TestRepairWithDamagedFolders: what is damaged there too is said, and all else is there again.
func TestRepairWithDamagedFolders(t *testing.T) {
	t.Parallel()
	root, want := ran(t)
	remove(t, filepath.Join(root, "sweep.db"))
	logs, err := filepath.Glob(filepath.Join(root, "trials", "*", "1", trial.EventsFile))
	must(t, err)
	victim := filepath.Dir(logs[0])
	text, err := os.ReadFile(logs[0])
	must(t, err)
	must(t, os.WriteFile(logs[0], []byte(strings.Replace(string(text), `"seq":2`, `"seq":3`, 1)), 0o600))
	must(t, os.Truncate(filepath.Join(victim, trial.SpecFile), 100))
	r, err := store.Repair(t.Context(), root, nothing)
	mended, lost := map[string]bool{}, ""
	for _, m := range r.Mended {
		mended[filepath.Base(m.Path)] = m.Aside != ""
		lost += m.Lost
	}
	kept := map[string]bool{trial.EventsFile: true, trial.SpecFile: true}
	if diff := cmp.Diff(kept, mended); err != nil || diff != "" || !strings.Contains(lost, "after event 1") || len(r.Losses) > 0 {
		t.Fatalf("Repair = %+v, %v", r, err)
	}
	got := reopened(t, root)
	n := 0
	got.Each(func(l *sweep.Ladder, rung int, facts *sweep.TrialFacts) {
		for _, a := range facts.Attempts {
			if a.ID.Dir(root) == victim {
				n++
				if a.LastSeq < 1 || a.Sweep != "first" {
					t.Errorf("attempt %+v, want its first event, and its sweep", a)
				}
			}
		}
	})
	if n != 1 || len(got.Ladders) != len(want.Ladders) {
		t.Errorf("the damaged attempt is there %d times among %d ladders", n, len(got.Ladders))
	}
}

// TestRepairKeepsSweepsWithoutRecord: folders of an earlier version do not say which sweep they belong to. The database that does stays
// as it is, a person's own view in it too; where it has to be made anew it has the sweep.
func TestRepairKeepsSweepsWithoutRecord(t *testing.T) {
	t.Parallel()
	for spoil, aside := range map[string]bool{
		`CREATE VIEW mine AS SELECT 1`: false, `DROP VIEW rungs`: false, `UPDATE outcomes SET val_loss = 4.26 WHERE val_loss = 4.25`: true,
	} {
		root, want := ran(t)
		records, err := filepath.Glob(filepath.Join(root, "trials", "*", "*", "sweep-*.json.gz"))
		must(t, err)
		if len(records) == 0 {
			t.Fatal("no record to lose")
		}
		remove(t, records...)
		statement(spoil)(t, filepath.Join(root, "sweep.db"))
		if r, err := store.Repair(t.Context(), root, nothing); err != nil || (r.Aside != "") != aside || len(r.Losses) > 0 {
			t.Fatalf("%s: Repair = %+v, %v", spoil, r, err)
		}
		sameFacts(t, want, reopened(t, root))
	}
}

// TestStrayTrials: a trial's folder without a record of its sweep is no loss where the database has the trial, and a stray one where no
// sweep has it, each told once.
func TestStrayTrials(t *testing.T) {
	t.Parallel()
	root, _ := ran(t)
	records, err := filepath.Glob(filepath.Join(root, "trials", "*", "*", "sweep-*.json.gz"))
	must(t, err)
	remove(t, records...)
	stray := makeTrial(16, 64, 9)
	for number := range 2 {
		inFolder(t, root, stray, number+1, script(4.5))
	}
	for what, look := range map[string]func() (store.Repaired, error){
		"Examine": func() (store.Repaired, error) { return store.Examine(t.Context(), root, t.TempDir()) },
		"Repair":  func() (store.Repaired, error) { return store.Repair(t.Context(), root, nothing) },
	} {
		r, err := look()
		if diff := cmp.Diff([]trial.ID{stray.ID}, r.Strays); err != nil || diff != "" || len(r.Losses) > 0 {
			t.Errorf("%s = %+v, %v; strays (-want +got):\n%s", what, r, err, diff)
		}
	}
}

// TestRepairKeepsOff: while a coordinator or a worker is at work nothing is repaired.
func TestRepairKeepsOff(t *testing.T) {
	t.Parallel()
	root, want := ran(t)
	db, err := store.Open(t.Context(), filepath.Join(root, "sweep.db"))
	must(t, err)
	session := started(t, db, want.Sweep.ID)
	if _, err := store.Repair(t.Context(), root, nothing); !errors.Is(err, sweep.ErrLocked) {
		t.Errorf("beside a coordinator: %v, want ErrLocked", err)
	}
	must(t, db.EndSession(t.Context(), session, instant(500)))
	if _, err := store.Repair(t.Context(), root, nothing); !errors.Is(err, sweep.ErrLocked) {
		t.Errorf("beside one who has the database open to write: %v, want ErrLocked", err)
	}
	must(t, db.Close())
	logs, err := filepath.Glob(filepath.Join(root, "trials", "*", "1"))
	must(t, err)
	worker, err := trial.LockEvents(logs[0])
	must(t, err)
	if _, err := store.Repair(t.Context(), root, nothing); !errors.Is(err, sweep.ErrLocked) {
		t.Errorf("beside a worker: %v, want ErrLocked", err)
	}
	must(t, worker.Close())
	if _, err := store.Repair(t.Context(), root, nothing); err != nil {
		t.Errorf("once they have ended: %v", err)
	}
}

// TestRepairBesideWriters opens the database to write, writes and closes it, again and again, while it is lost and repaired: whoever was
// told that his request is written finds it.
func TestRepairBesideWriters(t *testing.T) {
	t.Parallel()
	root, want := ran(t)
	path := filepath.Join(root, "sweep.db")
	before := len(rowsOf(t, root))
	var written atomic.Int64
	var g errgroup.Group
	for range 2 {
		g.Go(func() error {
			for i := range 8 {
				db, err := store.Open(t.Context(), path)
				if err != nil {
					return err
				}
				time.Sleep(time.Duration(i%4) * 150 * time.Millisecond) // as one who reads a grid between the two
				if err := errors.Join(db.Ask(t.Context(), want.Sweep.ID, sweep.RequestPause, moment(500)), db.Close()); err != nil {
					return err
				}
				written.Add(1)
			}
			return nil
		})
	}
	repaired := 0
	for repaired < 3 {
		time.Sleep(30 * time.Millisecond) // a writer gets in between
		spoil := func() error {           // while writers are kept off
			return os.WriteFile(firstLog(t, root), contradiction(t, root, repaired), 0o600)
		}
		r, err := store.Repair(t.Context(), root, spoil)
		if err != nil && !errors.Is(err, sweep.ErrLocked) {
			t.Fatal(err)
		}
		if err == nil && r.Aside == "" {
			t.Fatalf("Repair = %+v, want the database to be replaced", r)
		}
		if err == nil {
			repaired++
		}
	}
	must(t, g.Wait())
	if got := len(rowsOf(t, root)) - before; got != int(written.Load()) {
		t.Errorf("%d requests of %d are there", got, written.Load())
	}
}

func firstLog(t *testing.T, root string) string {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(root, "trials", "*", "2", trial.EventsFile))
	must(t, err)
	return logs[0]
}

// contradiction is the log of an attempt that says something else than it did.
func contradiction(t *testing.T, root string, round int) []byte {
	t.Helper()
	events, err := trial.ReadFolder(filepath.Dir(firstLog(t, root)))
	must(t, err)
	events[1].Prediction.PredictedBytes = int64(3000 + round)
	return logOf(t, events)
}

// TestRepairBelievesASoundDatabase: what it knows beyond the folders stays where it is, and nothing is moved aside for it.
func TestRepairBelievesASoundDatabase(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T, root string){
		"a setting": func(t *testing.T, root string) {
			t.Helper()
			statement(`UPDATE sweeps SET patience = 3`)(t, filepath.Join(root, "sweep.db"))
		},
		"another name": func(t *testing.T, root string) {
			t.Helper()
			statement(`UPDATE sweeps SET name = 'renamed'`)(t, filepath.Join(root, "sweep.db"))
		},
		"a request": func(t *testing.T, root string) {
			t.Helper()
			statement(`INSERT INTO requests (sweep_id, kind, at_ns) SELECT id, 'resume', 400 FROM sweeps`)(t, filepath.Join(root, "sweep.db"))
		},
		"a trial's folder": func(t *testing.T, root string) {
			t.Helper()
			records, err := filepath.Glob(filepath.Join(root, "trials", "*", "*", "sweep-*.json.gz"))
			must(t, err)
			must(t, os.RemoveAll(filepath.Dir(filepath.Dir(records[0]))))
		},
		"all trials' folders": func(t *testing.T, root string) {
			t.Helper()
			must(t, os.RemoveAll(filepath.Join(root, "trials")))
		},
		"the end of a log": func(t *testing.T, root string) {
			t.Helper()
			logs, err := filepath.Glob(filepath.Join(root, "trials", "*", "2", trial.EventsFile))
			must(t, err)
			text, err := os.ReadFile(logs[0])
			must(t, err)
			must(t, os.WriteFile(logs[0], []byte(strings.SplitAfter(string(text), "\n")[0]), 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, _ := ran(t)
			spoil(t, root)
			before := rowsOf(t, root)
			found, err := store.Examine(t.Context(), root, t.TempDir())
			if err != nil || len(found.Gone) == 0 || len(found.TakenIn) > 0 {
				t.Errorf("Examine = %+v, %v, want only what the folders lack", found, err)
			}
			r, err := store.Repair(t.Context(), root, nothing)
			if err != nil || r.Aside != "" || len(r.TakenIn) > 0 {
				t.Fatalf("Repair = %+v, %v, want the database to stay", r, err)
			}
			if diff := cmp.Diff(before, rowsOf(t, root)); diff != "" {
				t.Errorf("the database after the repair (-before +after):\n%s", diff)
			}
		})
	}
}

// rowsOf is what the database knows of its sweeps and attempts, in words.
func rowsOf(t *testing.T, root string) (all []string) {
	t.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(root, "sweep.db"))
	must(t, err)
	defer db.Close() //nolint:errcheck // read only
	list, err := db.QueryContext(t.Context(), `SELECT name || patience FROM sweeps UNION ALL SELECT trial_id || number FROM attempts
		UNION ALL SELECT attempt_id || state || ifnull(val_loss, '') FROM outcomes UNION ALL SELECT attempt_id || '.' || seq FROM events
		UNION ALL SELECT kind || at_ns FROM requests`)
	must(t, err)
	defer list.Close() //nolint:errcheck // read only
	for list.Next() {
		var row string
		must(t, list.Scan(&row))
		all = append(all, row)
	}
	must(t, list.Err())
	return all
}

// TestRepairSaysWhatIsLost: an attempt that a damaged database still shows and no folder has.
func TestRepairSaysWhatIsLost(t *testing.T) {
	t.Parallel()
	root, want := ran(t)
	lost := want.Ladders[0].Rungs[0].Trials[0].Attempts[0].ID
	must(t, os.RemoveAll(lost.Dir(root)))
	statement(`PRAGMA foreign_keys = OFF; UPDATE outcomes SET seq = 99`)(t, filepath.Join(root, "sweep.db"))
	r, err := store.Repair(t.Context(), root, nothing)
	if err != nil || r.Found != store.HealthDamaged || r.Aside == "" {
		t.Fatalf("Repair = %+v, %v", r, err)
	}
	if !slices.ContainsFunc(r.Gone, func(d store.Difference) bool { return d.About == string(lost) && d.Table == "attempts" }) {
		t.Errorf("gone is %+v, want %s among it", r.Gone, lost)
	}
}

// TestForeignDatabasesAreNotWrittenTo: another program's database stays as it is.
func TestForeignDatabasesAreNotWrittenTo(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sweep.db")
	foreignDatabase(t, path)
	before, err := os.ReadFile(path)
	must(t, err)
	if _, err := store.Open(t.Context(), path); err == nil || !strings.Contains(err.Error(), "another program's database") {
		t.Errorf("Open = %v, want a refusal", err)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("the foreign database was written to, %v", err)
	}
}

// altered puts a text in the place of another wherever the database's file has that.
func altered(t *testing.T, root, from, to string) {
	t.Helper()
	path := filepath.Join(root, "sweep.db")
	content, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Contains(content, []byte(from)) {
		t.Fatalf("%s has no %s", path, from)
	}
	must(t, os.WriteFile(path, bytes.ReplaceAll(content, []byte(from), []byte(to)), 0o600))
}

// TestRepairFindsBrokenJSON: one bit of a quotation mark, which SQLite's own check lets pass.
func TestRepairFindsBrokenJSON(t *testing.T) {
	t.Parallel()
	root, want := ran(t)
	altered(t, root, `"lora_alpha"`, `2lora_alpha"`)
	r, err := store.Repair(t.Context(), root, nothing)
	if err != nil || r.Found != store.HealthDamaged || len(r.Losses) > 0 {
		t.Fatalf("Repair = %+v, %v, want it to find the database damaged and to lose nothing", r, err)
	}
	sameFacts(t, want, reopened(t, root))
}

// TestRepairFindsABrokenCheck: one bit of a column's name in the schema, which a connection that only reads does not parse.
func TestRepairFindsABrokenCheck(t *testing.T) {
	t.Parallel()
	root, want := ran(t)
	altered(t, root, "CHECK (strategy ", "CHECK (qtrategy ")
	r, err := store.Repair(t.Context(), root, nothing)
	if err != nil || r.Found != store.HealthDamaged || r.Aside == "" || len(r.Losses) > 0 {
		t.Fatalf("Repair = %+v, %v, want it to find the database damaged, to move it aside and to lose nothing", r, err)
	}
	must(t, openAt(t, filepath.Join(root, "sweep.db")).Check(t.Context()))
	sameFacts(t, want, reopened(t, root))
}

// TestRepairLeavesNoEventWithoutItsFacts: a database in which an event has lost what it carries passes Check after a repair, whatever the
// folders still tell of it.
func TestRepairLeavesNoEventWithoutItsFacts(t *testing.T) {
	t.Parallel()
	for left, spoil := range map[string]func(t *testing.T, dir string){
		"its folder":       func(*testing.T, string) {},
		"half of its log":  func(t *testing.T, dir string) { t.Helper(); cutInHalf(t, filepath.Join(dir, trial.EventsFile)) },
		"no log":           func(t *testing.T, dir string) { t.Helper(); remove(t, filepath.Join(dir, trial.EventsFile)) },
		"no folder at all": func(t *testing.T, dir string) { t.Helper(); must(t, os.RemoveAll(dir)) },
	} {
		for _, table := range store.FactTables() {
			if table == "screened_losses" || table == "module_updates" {
				continue // nothing was said of these
			}
			t.Run(left+", without "+table, func(t *testing.T) {
				t.Parallel()
				root, _ := ran(t)
				path := filepath.Join(root, "sweep.db")
				statement(`DELETE FROM `+table)(t, path)
				spoil(t, attempt(registration().Ladders[0].Rungs[0].Trials[0].Trial, 1).Dir(root))
				if r, err := store.Examine(t.Context(), root, t.TempDir()); err != nil || len(r.Mended) != 1 {
					t.Errorf("Examine = %+v, %v, want it to find what had lost its data", r, err)
				}
				r, err := store.Repair(t.Context(), root, nothing)
				if err != nil || len(r.Mended) == 0 || !strings.HasSuffix(r.Mended[0].Why, "has lost its data") {
					t.Fatalf("Repair = %+v, %v, want it to say what had lost its data", r, err)
				}
				if _, err := os.Stat(r.Mended[0].Aside); err != nil {
					t.Errorf("the database as it was: %v", err)
				}
				db := openAt(t, path)
				must(t, db.Check(t.Context()))
				must(t, db.Close())
				if done := ended(t, root); done != 3 && table != "outcomes" {
					t.Errorf("%d trials have a loss, want the 3 of before", done)
				}
				again, err := store.Repair(t.Context(), root, nothing)
				if err != nil || len(again.Mended) > 0 || len(again.TakenIn) > 0 || again.Aside != "" {
					t.Errorf("Repair again = %+v, %v, want nothing to do", again, err)
				}
			})
		}
	}
}

func cutInHalf(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	must(t, os.Truncate(path, info.Size()/2))
}

// ended counts the trials that have a loss.
func ended(t *testing.T, root string) (n int) {
	t.Helper()
	s := reopened(t, root)
	s.Each(func(_ *sweep.Ladder, _ int, tr *sweep.TrialFacts) {
		if o := tr.Attempts; len(o) > 0 && o[len(o)-1].Outcome != nil && o[len(o)-1].Outcome.ValLoss != nil {
			n++
		}
	})
	return n
}
