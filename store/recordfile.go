package store

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// A record lies in attempts' folders as gzipped JSON: gzip's own checksum covers it. Its name says whose it is.
const (
	recordPrefix = "sweep-"
	recordSuffix = ".json.gz"
)

func recordName(created int64) string {
	return recordPrefix + strconv.FormatInt(created, 36) + recordSuffix
}

// IsRecord reports whether a file of an attempt's folder is the record of a sweep.
func IsRecord(name string) bool {
	return strings.HasPrefix(name, recordPrefix) && strings.HasSuffix(name, recordSuffix)
}

// ReadRecord reads a record that Recorder wrote. What is not as it was written wraps trial.ErrDamaged.
func ReadRecord(path string) (Record, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Record{}, err
	}
	r, err := decodeRecord(text)
	if err != nil {
		return Record{}, fmt.Errorf("read %s: %w: %w", path, trial.ErrDamaged, err)
	}
	return r, nil
}

// mostRecord bounds what a record grows to: a million trials have 1.2 GB.
const mostRecord = 2 << 30

func decodeRecord(text []byte) (r Record, err error) {
	z, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		return r, err
	}
	d := json.NewDecoder(io.LimitReader(z, mostRecord))
	d.UseNumber() // nanoseconds have more digits than a float64
	if err := d.Decode(&r); err != nil {
		return r, err
	}
	if _, err := io.Copy(io.Discard, d.Buffered()); err != nil {
		return r, err
	}
	if _, err := io.Copy(io.Discard, z); err != nil { // to where its checksum is compared
		return r, err
	}
	for _, t := range r.Tables {
		for _, row := range t.Rows {
			if len(row) != len(t.Columns) {
				return r, fmt.Errorf("table %s has a row of %d values for %d columns", t.Table, len(row), len(t.Columns))
			}
			for i, v := range row {
				if row[i], err = number(v); err != nil {
					return r, err
				}
			}
		}
	}
	return r, nil
}

// number turns JSON's numbers into what SQLite takes.
func number(v any) (any, error) {
	n, ok := v.(json.Number)
	if !ok {
		return v, nil
	}
	if whole, err := n.Int64(); err == nil {
		return whole, nil
	}
	return n.Float64()
}

// Recorder keeps a sweep's record in the folders of its attempts, so that the sweep survives the loss of the database.
type Recorder struct {
	DB    *DB
	Sweep int64

	copies int
	mark   string
}

// firstCopies is in how many folders a coordinator keeps the record at least: one damaged disk block is not to cost a sweep.
const firstCopies = 3

// Beside keeps the record in the folder of an attempt that has just been started, for the first ones and whenever there is more to keep.
func (r *Recorder) Beside(ctx context.Context, dir string, at time.Time) error {
	mark, err := r.DB.Mark(ctx, r.Sweep)
	if err != nil || mark == r.mark && r.copies >= firstCopies {
		return err
	}
	if mark != r.mark {
		r.copies = 0
	}
	if err := r.Keep(ctx, dir, at); err != nil {
		return err
	}
	r.mark = mark
	r.copies++
	return nil
}

// Keep writes the record into an attempt's folder.
func (r *Recorder) Keep(ctx context.Context, dir string, at time.Time) error {
	record, err := r.DB.Record(ctx, r.Sweep, at)
	if err != nil {
		return err
	}
	return trial.WriteAtomic(filepath.Join(dir, recordName(record.Created)), func(w io.Writer) error {
		z := gzip.NewWriter(w)
		if err := json.NewEncoder(z).Encode(record); err != nil {
			return err
		}
		return z.Close()
	})
}

// KeepLast keeps the record in the folder of the newest attempt of the sweep's trials that has one, whichever sweep launched it.
func (r *Recorder) KeepLast(ctx context.Context, root string, at time.Time) error {
	var ids []trial.AttemptID
	rows, err := r.DB.r.QueryContext(ctx, `SELECT a.trial_id || '/' || a.number FROM attempts a WHERE `+
		wholeSweep(r.Sweep).attempts()+` ORDER BY a.id DESC`, r.Sweep)
	err = each(rows, err, func(rows *sql.Rows) error {
		var id trial.AttemptID
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("record of sweep %d: %w", r.Sweep, err)
	}
	for _, id := range ids {
		if trial.CheckFolder(id.Dir(root)) == nil {
			return r.Keep(ctx, id.Dir(root), at)
		}
	}
	return nil
}

// RemoveRecords removes the records of a sweep that was removed from the folders that other sweeps share: repairing would bring it back.
func RemoveRecords(root string, created time.Time) error {
	records, err := fs.Glob(os.DirFS(root), "trials/*/*/"+recordName(unixNano(created)))
	for _, name := range records {
		err = errors.Join(err, os.Remove(filepath.Join(root, name)))
	}
	return err
}
