package store_test

import (
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// TestRecordWithoutEnd: a small file that unpacks to far more than a record of its size has is damaged, as is a huge one; the record of
// ladders that are as like as they can be is not.
func TestRecordWithoutEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "sweep-1.json.gz")
	const head = `{"schema":1,"name":"x","former":[],"created_ns":1,"at":"2026-11-30T00:00:00Z","tables":[`
	for name, text := range map[string]func(write func(string)){
		"rows": func(w func(string)) {
			w(head + `{"table":"t","columns":["id"],"rows":[[1]`)
			many(w, ",[1]")
			w("]}]}")
		},
		"rows without": func(w func(string)) { w(head + `{"table":"t","columns":[],"rows":[[]`); many(w, ",[]"); w("]}]}") },
		"values":       func(w func(string)) { w(head + `{"table":"t","columns":["id"],"rows":[[1`); many(w, ",1"); w("]]}]}") },
		"columns":      func(w func(string)) { w(head + `{"table":"t","columns":["id"`); many(w, `,"id"`); w(`],"rows":[]}]}`) },
		"tables":       func(w func(string)) { w(head + `{}`); many(w, ",{}"); w(`]}`) },
		"a long text": func(w func(string)) {
			w(head + `{"table":"t","columns":["id"],"rows":[["`)
			many(w, "xxxx")
			w(`"]]}]}`)
		},
		"its end": func(w func(string)) { w(head + `]}`); many(w, "    ") },
	} {
		f, err := os.Create(path)
		must(t, err)
		z := gzip.NewWriter(f)
		text(func(part string) {
			_, err := io.WriteString(z, part)
			must(t, err)
		})
		must(t, errors.Join(z.Close(), f.Close()))
		if _, err := store.ReadRecord(path); !errors.Is(err, trial.ErrDamaged) || !strings.Contains(err.Error(), "unpacks to more") {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, os.Truncate(path, 1<<30))
	if _, err := store.ReadRecord(path); !errors.Is(err, trial.ErrDamaged) || !strings.Contains(err.Error(), "256 MiB") {
		t.Errorf("a huge file: %v", err)
	}

	db := openAt(t, filepath.Join(dir, "sweep.db"))
	id, err := db.CreateSweep(t.Context(), sweeptest.Info("large", sweeptest.LargeSeeds()...))
	must(t, err)
	must(t, db.Register(t.Context(), id, largeRegistration(200)))
	recorder, folder := store.Recorder{DB: db, Sweep: id}, t.TempDir()
	must(t, recorder.Keep(t.Context(), folder, moment(1)))
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	must(t, err)
	if r, err := store.ReadRecord(files[0]); err != nil || len(r.Tables) < 4 {
		t.Errorf("a real one: %d tables, %v", len(r.Tables), err)
	}
}

// many writes a text again and again, 8 MiB of it.
func many(write func(string), text string) {
	for range 8 {
		write(strings.Repeat(text, 1<<20/len(text)))
	}
}
