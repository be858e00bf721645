package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// damagedLogs are what may happen to an event log.
var damagedLogs = map[string]func(log []byte) []byte{ //nolint:gochecknoglobals // a table
	"a flipped bit": func(b []byte) []byte { b[len(b)/2] ^= 4; return b },
	"a changed digit": func(b []byte) []byte {
		return bytes.Replace(b, []byte(`"train_loss":4.9`), []byte(`"train_loss":4.8`), 1)
	},
	"cut in the middle":  func(b []byte) []byte { return b[:len(b)/2] },
	"a line cut in two":  func(b []byte) []byte { return append(b[:len(b)/2:len(b)/2], b[len(b)/2+40:]...) },
	"foreign lines":      func(b []byte) []byte { at := bytes.IndexByte(b, '\n') + 1; return foreignAt(b, at) },
	"a foreign line end": func(b []byte) []byte { return foreignAt(b, len(b)) },
	"zeros":              func(b []byte) []byte { clear(b[len(b)/3:]); return b },
	"zeros without end":  func(b []byte) []byte { return append(b[:len(b)/2], make([]byte, trial.MostJSON)...) },
	"all of it":          func([]byte) []byte { return []byte("shopping list\n") },
	"emptied":            func([]byte) []byte { return nil },
}

func foreignAt(log []byte, at int) []byte {
	return append(append(bytes.Clone(log[:at]), "another program was here\n{\"x\":1}\n"...), log[at:]...)
}

// TestRepairMendsLogs damages the logs of attempts in each way. While the database is there nothing is lost; where that is lost too, what
// is good of the log counts and the attempt ends as by a fault of the disk that passes. Either way nothing is left to find after it, and
// the damaged log is kept.
func TestRepairMendsLogs(t *testing.T) {
	t.Parallel()
	for i, name := range slices.Sorted(maps.Keys(damagedLogs)) {
		damage := damagedLogs[name]
		for _, lost := range []bool{false, true} {
			for victim := range 4 { // of one kind of damage all, of the others one after the other
				if name != "cut in the middle" && victim != (i+map[bool]int{true: 1}[lost])%4 {
					continue
				}
				t.Run(name+map[bool]string{true: ", no database"}[lost], func(t *testing.T) {
					t.Parallel()
					root, want := ran(t)
					logs, err := filepath.Glob(filepath.Join(root, "trials", "*", "*", trial.EventsFile))
					must(t, err)
					text, err := os.ReadFile(logs[victim])
					must(t, err)
					broken := damage(bytes.Clone(text))
					must(t, os.WriteFile(logs[victim], broken, 0o600))
					if lost {
						remove(t, filepath.Join(root, "sweep.db"), filepath.Join(root, "sweep.db-wal"))
					}
					r, err := store.Repair(t.Context(), root, nothing)
					if err != nil || len(r.Losses) > 0 || !lost && r.Aside != "" {
						t.Fatalf("Repair = %+v, %v", r, err)
					}
					found, err := store.Examine(t.Context(), root, t.TempDir())
					if err != nil || len(found.Losses)+len(found.TakenIn)+len(found.Gone) > 0 {
						t.Errorf("Examine after it = %+v, %v, want nothing", found, err)
					}
					mustLieAside(t, r.Mended, text, broken)
					if !lost {
						sameFacts(t, want, reopened(t, root))
						return
					}
					mustGoOn(t, reopened(t, root), filepath.Dir(logs[victim]), root)
				})
			}
		}
	}
}

// TestRepairOfAnothersLog: a log that was copied from another attempt's folder is sound, and not believed. One of an earlier version does
// not say whose it is, but the database knows when the attempt began.
func TestRepairOfAnothersLog(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ early, lost bool }{{}, {early: true}, {lost: true}} {
		root, want := ran(t)
		victim := firstLog(t, root)
		other := attempt(registration().Ladders[0].Rungs[0].Trials[0].Trial, 1)
		foreign, err := trial.ReadFolder(other.Dir(root))
		must(t, err)
		if tt.early {
			foreign[0].Attempt, foreign[0].At = "", foreign[0].At.Add(time.Second)
		}
		must(t, os.WriteFile(victim, logOf(t, foreign), 0o600))
		if tt.lost {
			remove(t, filepath.Join(root, "sweep.db"), filepath.Join(root, "sweep.db-wal"))
		}
		r, err := store.Repair(t.Context(), root, nothing)
		if err != nil || len(r.Losses) > 0 || len(r.Mended) != 1 || !tt.lost && r.Aside != "" {
			t.Fatalf("%+v: Repair = %+v, %v", tt, r, err)
		}
		if kept, err := os.ReadFile(r.Mended[0].Aside); err != nil || !bytes.Equal(kept, logOf(t, foreign)) {
			t.Errorf("%+v: the other attempt's log does not lie aside: %v", tt, err)
		}
		if m := r.Mended[0]; tt.lost != (m.Lost != "") || !strings.Contains(m.Why, "another attempt") {
			t.Errorf("%+v: mended %+v", tt, m)
		}
		found, err := store.Examine(t.Context(), root, t.TempDir())
		if err != nil || len(found.Losses)+len(found.TakenIn)+len(found.Gone) > 0 {
			t.Errorf("%+v: Examine after it = %+v, %v, want nothing", tt, found, err)
		}
		if !tt.lost {
			sameFacts(t, want, reopened(t, root))
			continue
		}
		mustGoOn(t, reopened(t, root), filepath.Dir(victim), root)
	}
}

// TestRepairOfAnothersOutcome: nor is the coordinator's word on another attempt.
func TestRepairOfAnothersOutcome(t *testing.T) {
	t.Parallel()
	root, want := ran(t)
	files, err := filepath.Glob(filepath.Join(root, "trials", "*", "1", trial.OutcomeFile))
	must(t, err)
	dir := filepath.Dir(firstLog(t, root))
	copied := filepath.Join(dir, trial.OutcomeFile)
	said, err := trial.ReadFolder(dir)
	must(t, err)
	text, err := os.ReadFile(files[0])
	must(t, err)
	text = bytes.Replace(text[:bytes.LastIndex(text, []byte(`,"crc32c"`))], []byte(`"seq":3`), fmt.Appendf(nil, `"seq":%d`, len(said)), 1)
	must(t, os.WriteFile(copied, trial.Seal(append(text, '}')), 0o600))
	r, err := store.Repair(t.Context(), root, nothing)
	if err != nil || len(r.Losses) > 0 || len(r.Mended) != 1 || r.Mended[0].Path != copied || r.Aside != "" {
		t.Fatalf("Repair = %+v, %v", r, err)
	}
	sameFacts(t, want, reopened(t, root))
}

// mustLieAside fails where a log was mended and what it was is not kept.
func mustLieAside(t *testing.T, mended []store.Mended, good, broken []byte) {
	t.Helper()
	for _, m := range mended {
		kept := broken
		if m.Aside != "" {
			var err error
			kept, err = os.ReadFile(m.Aside)
			must(t, err)
		}
		if m.Aside == "" && !bytes.HasPrefix(good, broken) || !bytes.Equal(kept, broken) {
			t.Errorf("%+v: what the log was is not kept", m)
		}
	}
}

// mustGoOn fails where the damaged attempt has no outcome, or one that ends its trial though it was not done.
func mustGoOn(t *testing.T, s sweep.Snapshot, dir, root string) {
	t.Helper()
	s.Each(func(_ *sweep.Ladder, _ int, facts *sweep.TrialFacts) {
		for _, a := range facts.Attempts {
			if a.ID.Dir(root) != dir {
				continue
			}
			crash := a.Outcome != nil && a.Outcome.State == trial.OutcomeCrashed && a.Outcome.Error != "signal: killed"
			if crash && !a.Outcome.Cause.Passing() {
				t.Errorf("the damaged attempt ended with %+v, want it to go on", a.Outcome)
			}
		}
		if state := facts.State(); state.Lost() {
			t.Errorf("trial %s is %s", facts.Trial.ID, state)
		}
	})
}

// TestRepairMendsOtherFiles: the coordinator's word, the assignment and the record of the sweep.
func TestRepairMendsOtherFiles(t *testing.T) {
	t.Parallel()
	for _, name := range []string{trial.OutcomeFile, trial.SpecFile, "sweep-*.json.gz"} {
		for _, lost := range []bool{false, true} {
			if lost && name == "sweep-*.json.gz" {
				continue // a sweep has one in three folders, here in one
			}
			root, want := ran(t)
			files, err := filepath.Glob(filepath.Join(root, "trials", "*", "*", name))
			must(t, err)
			text, err := os.ReadFile(files[0])
			must(t, err)
			text[len(text)/2] ^= 1
			must(t, os.WriteFile(files[0], text, 0o600))
			if lost {
				remove(t, filepath.Join(root, "sweep.db"), filepath.Join(root, "sweep.db-wal"))
			}
			if found, err := store.Examine(t.Context(), root, t.TempDir()); err != nil || len(found.Losses) != 1 {
				t.Errorf("%s: Examine = %+v, %v, want one loss", name, found, err)
			}
			r, err := store.Repair(t.Context(), root, nothing)
			if err != nil || len(r.Losses) > 0 || len(r.Mended) != 1 {
				t.Errorf("%s: Repair = %+v, %v", name, r, err)
			}
			if found, err := store.Examine(t.Context(), root, t.TempDir()); err != nil || len(found.Losses)+len(found.Gone)+len(found.TakenIn) > 0 {
				t.Errorf("%s: Examine after it = %+v, %v, want nothing", name, found, err)
			}
			if !lost {
				sameFacts(t, want, reopened(t, root))
			}
		}
	}
}

// TestSaid: what the database says of an attempt is what it was told.
func TestSaid(t *testing.T) {
	t.Parallel()
	db, _ := registered(t)
	tr := registration().Ladders[0].Rungs[0].Trials[0].Trial
	events := script(4.5)
	end := events[len(events)-1]
	events = append(events[:len(events)-1:len(events)-1],
		trial.Event{Kind: trial.EventResumed, Step: 4},
		trial.Event{Kind: trial.EventScreened, Screened: &trial.Screened{Rank: 1, ValLoss: 4.75, Tokens: 630, Seconds: 1.5}},
		trial.Event{Kind: trial.EventUpdates, Updates: []trial.ModuleUpdate{{Module: "a", Norm: 1, StableRank: 1.5}, {Module: "b", Norm: 2}}},
		end)
	events[2].Evaluation.Measures = trial.Measures{RetainLoss: new(3.5), TokenAccuracy: new(0.5), ExactMatch: new(0.25)}
	for i := range events {
		events[i].Seq, events[i].At = int64(i+1), moment(100+i)
	}
	events[0].Attempt = attempt(tr, 1)
	launch(t, db, tr, 1, events)
	got, err := db.Said(t.Context(), attempt(tr, 1))
	if diff := cmp.Diff(events, got); err != nil || diff != "" {
		t.Errorf("Said() = %v (-told +said):\n%s", err, diff)
	}
	if got, err := db.Said(t.Context(), attempt(tr, 2)); err != nil || got != nil {
		t.Errorf("Said of an attempt that was never begun = %v, %v", got, err)
	}
	kinds := map[trial.EventKind]bool{}
	for _, e := range events {
		kinds[e.Kind] = true
	}
	if len(kinds) != len(strings.Fields("started predicted resumed point eval checkpoint memory screened updates ended")) {
		t.Errorf("kinds are %v, want all", kinds)
	}
}

// TestRepairFollowsNothing: a root from elsewhere may have a link out of it, a device or a pipe where a file belongs. It is neither read
// nor waited for, and goes aside as it is.
func TestRepairFollowsNothing(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(secret, []byte("kept elsewhere\n"), 0o600))
	for _, name := range []string{trial.EventsFile, trial.OutcomeFile, trial.SpecFile} {
		for what, plant := range map[string]func(path string) error{
			"a pipe":             func(path string) error { return syscall.Mkfifo(path, 0o600) },
			"a link to a file":   func(path string) error { return os.Symlink(secret, path) },
			"a link to a device": func(path string) error { return os.Symlink("/dev/zero", path) },
			"a file without end": func(path string) error {
				return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 64<<20))
			},
		} {
			root, want := ran(t)
			files, err := filepath.Glob(filepath.Join(root, "trials", "*", "*", name))
			must(t, err)
			remove(t, files[0])
			must(t, plant(files[0]))
			planted, err := os.Lstat(files[0])
			must(t, err)
			if found, err := store.Examine(t.Context(), root, t.TempDir()); err != nil || len(found.Losses) != 1 {
				t.Errorf("%s, %s: Examine = %+v, %v, want one loss", name, what, found, err)
			}
			r, err := store.Repair(t.Context(), root, nothing)
			if err != nil || len(r.Losses) > 0 || len(r.Mended) == 0 {
				t.Fatalf("%s, %s: Repair = %+v, %v", name, what, r, err)
			}
			if info, err := os.Lstat(r.Mended[0].Aside); err != nil || !os.SameFile(planted, info) {
				t.Errorf("%s, %s: aside lies %v (%v), want it as it was, and no copy", name, what, info, err)
			}
			sameFacts(t, want, reopened(t, root))
			must(t, filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
				if err != nil || !e.Type().IsRegular() {
					return err
				}
				text, err := os.ReadFile(path)
				if strings.Contains(string(text), "kept elsewhere") {
					t.Errorf("%s, %s: %s has it", name, what, path)
				}
				return err
			}))
		}
	}
}

// TestDatabaseIsNoPipe: what is no file is not waited for, and a repair puts a database in its place.
func TestDatabaseIsNoPipe(t *testing.T) {
	t.Parallel()
	root, want := ran(t)
	path := filepath.Join(root, "sweep.db")
	remove(t, path, path+"-wal")
	must(t, syscall.Mkfifo(path, 0o600))
	for _, open := range []func(context.Context, string) (*store.DB, error){store.OpenReadOnly, store.Open} {
		if _, err := open(t.Context(), path); err == nil || !strings.Contains(err.Error(), "a pipe or a device") {
			t.Errorf("it opens: %v", err)
		}
	}
	r, err := store.Repair(t.Context(), root, nothing)
	if err != nil || r.Found != store.HealthForeign || r.Aside == "" {
		t.Fatalf("Repair = %+v, %v", r, err)
	}
	sameFacts(t, want, reopened(t, root))
}
