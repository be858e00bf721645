package store_test

import (
	"database/sql"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// update writes testdata/v<N>.db where that schema has none yet: one file per released schema, never written twice.
var update = flag.Bool("update", false, "write the database file of a new schema") //nolint:gochecknoglobals // a flag of the test binary

// newest returns the name of the example of this program's schema.
func newest(t *testing.T) string {
	t.Helper()
	version, err := store.SchemaVersion()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("v%d.db", version)
}

// oldDatabase returns a writable copy of a database from testdata.
func oldDatabase(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "sweep.db")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOldDatabasesMigrate(t *testing.T) {
	t.Parallel()
	fresh, id := climbed(t)
	if *update {
		writeDatabase(t, fresh)
	}
	files, err := filepath.Glob("testdata/v*.db")
	if err != nil || len(files) == 0 {
		t.Fatalf("old databases: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			path := oldDatabase(t, filepath.Base(file))
			db := openAt(t, path)
			old := strings.TrimSuffix(filepath.Base(file), ".db")
			if want := path + "." + old + "-backup"; old+".db" != newest(t) && db.Kept() != want {
				t.Errorf("the database of before is kept as %q, want %q", db.Kept(), want)
			} else if old+".db" != newest(t) {
				keptAs(t, want, strings.TrimPrefix(old, "v"))
			}
			if diff := cmp.Diff(snapshot(t, fresh, id), snapshot(t, db, id)); diff != "" {
				t.Errorf("snapshot of the migrated database (-fresh +migrated):\n%s", diff)
			}
			const schema = `SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite%' ORDER BY name`
			want, err := fresh.Query(t.Context(), schema)
			if err != nil {
				t.Fatal(err)
			}
			got, err := db.Query(t.Context(), schema)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("schema of the migrated database: %v; a released migration must not change (-fresh +migrated):\n%s", err, diff)
			}
			sound, err := db.Query(t.Context(), `PRAGMA integrity_check`)
			if diff := cmp.Diff([][]string{{"ok"}}, sound); err != nil || diff != "" {
				t.Errorf("integrity of the migrated database: %v\n%s", err, diff)
			}
		})
	}
}

// keptAs fails where the copy that a migration keeps is not of the schema that it had.
func keptAs(t *testing.T, path, version string) {
	t.Helper()
	db, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // read only
	var have string
	err = db.QueryRowContext(t.Context(), `SELECT max(version_id) FROM goose_db_version`).Scan(&have)
	if err != nil || have != version {
		t.Errorf("the kept database has schema %s, want %s: %v", have, version, err)
	}
}

// TestDatabasesOfEarlierProgramsAreRead: a database of the newest schema is read as it is, whatever views it was left with.
func TestDatabasesOfEarlierProgramsAreRead(t *testing.T) {
	t.Parallel()
	fresh, id := climbed(t)
	old, err := store.OpenReadOnly(t.Context(), oldDatabase(t, newest(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := old.Close(); err != nil {
			t.Error(err)
		}
	})
	if diff := cmp.Diff(snapshot(t, fresh, id), snapshot(t, old, id)); diff != "" {
		t.Errorf("snapshot (-fresh +old):\n%s", diff)
	}
	want, err := fresh.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := old.List(t.Context())
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("list: %v (-fresh +old):\n%s", err, diff)
	}
}

// TestViewsAreLaidAnew: views that another program laid last are replaced, whichever they are.
func TestViewsAreLaidAnew(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sweep.db")
	const schema = `SELECT name, sql FROM sqlite_schema WHERE type IN ('view', 'index') ORDER BY name`
	db := openAt(t, path)
	want, err := db.Query(t.Context(), schema)
	if err != nil || len(want) == 0 {
		t.Fatalf("views: %v, %v", want, err)
	}
	for _, statement := range []string{
		`DROP VIEW trials`, `CREATE VIEW trials AS SELECT 1`, `DROP VIEW screened`, `PRAGMA user_version = 1`,
	} {
		if err := db.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	got, err := openAt(t, path).Query(t.Context(), schema)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("views after opening again: %v (-want +got):\n%s", err, diff)
	}
}

// writeDatabase keeps db's content as the example of the newest schema.
func writeDatabase(t *testing.T, db *store.DB) {
	t.Helper()
	path := filepath.Join("testdata", newest(t))
	if _, err := os.Stat(path); err == nil {
		return
	}
	if err := os.MkdirAll("testdata", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := db.CopyTo(t.Context(), path); err != nil {
		t.Fatal(err)
	}
}

func TestOtherSchemasAreRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sweep.db")
	db := openAt(t, path)
	if err := db.Exec(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`); err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func() error{
		"Open":         func() error { _, err := store.Open(t.Context(), path); return err },
		"OpenReadOnly": func() error { _, err := store.OpenReadOnly(t.Context(), path); return err },
	} {
		if err := open(); err == nil || !strings.Contains(err.Error(), "use a newer sweep") {
			t.Errorf("%s of a newer database = %v, want advice", name, err)
		}
	}
	if err := db.Exec(t.Context(), `DELETE FROM goose_db_version WHERE version_id > 0`); err != nil {
		t.Fatal(err)
	}
	if _, err := store.OpenReadOnly(t.Context(), path); err == nil || !strings.Contains(err.Error(), "sweep resume") {
		t.Errorf("OpenReadOnly of an older database = %v, want advice", err)
	}
}

// TestListTakesVerdictsOfThisRule, also those whose reason and advice were sentences, and none of an earlier rule.
func TestListTakesVerdictsOfThisRule(t *testing.T) {
	t.Parallel()
	for version, want := range map[int]plateau.State{
		plateau.Version: plateau.StatePlateau, plateau.Version - 1: plateau.StateRunning,
	} {
		db := openAt(t, oldDatabase(t, newest(t)))
		err := db.Exec(t.Context(), `INSERT INTO ladder_verdicts (ladder_id, at_ns, rule_version, inputs_hash, verdict)
			SELECT id, 1, ?, '', '{"state": "plateau", "recommended_rank": 2, "reason": "rank 4 gains less", "advice": ["use rank 2"]}'
			FROM ladders`, version)
		if err != nil {
			t.Fatal(err)
		}
		list, err := db.List(t.Context())
		if err != nil || len(list) != 1 {
			t.Fatalf("%d sweeps, %v", len(list), err)
		}
		if diff := cmp.Diff([]plateau.State{want, want}, list[0].Verdicts); diff != "" {
			t.Errorf("verdicts of rule %d (-want +got):\n%s", version, diff)
		}
	}
}
