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
	"slices"
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
	text, err := trial.ReadRegular(path)
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
	if _, err := io.Copy(io.Discard, io.LimitReader(z, mostRecord)); err != nil { // to where its checksum is compared
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

// readRecordHead reads a record without its tables, all of it as far as checksums go.
func readRecordHead(path string) (r Record, err error) {
	f, err := trial.OpenRegular(path)
	if err != nil {
		return r, err
	}
	defer f.Close() //nolint:errcheck // read only
	z, err := gzip.NewReader(f)
	if err != nil {
		return r, err
	}
	text := io.LimitReader(z, mostRecord)
	d := json.NewDecoder(text)
	fields := map[json.Token]any{"schema": &r.Schema, "name": &r.Name, "former": &r.Former, "created_ns": &r.Created, "at": &r.At}
	for _, err = d.Token(); err == nil && d.More(); { // after the brace
		var field json.Token
		if field, err = d.Token(); err != nil || field == "tables" {
			break
		}
		if fields[field] == nil {
			return r, fmt.Errorf("%w: unknown field %v", trial.ErrDamaged, field)
		}
		err = d.Decode(fields[field])
	}
	if err == nil {
		_, err = io.Copy(io.Discard, text)
	}
	return r, err
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

	kept []string // the files of the record as it is now
	mark string
}

// firstCopies is in how many folders a coordinator keeps the record at least: one damaged disk block is not to cost a sweep.
const firstCopies = 3

// Beside keeps the record in the folder of an attempt that has just been started, for the first ones and whenever there is more to keep.
func (r *Recorder) Beside(ctx context.Context, dir string, at time.Time) error {
	mark, err := r.DB.Mark(ctx, r.Sweep)
	if err != nil || mark == r.mark && len(r.kept) >= firstCopies {
		return err
	}
	if mark != r.mark {
		r.Renew()
	}
	path, err := r.keep(ctx, dir, at)
	if err != nil {
		return err
	}
	r.mark, r.kept = mark, append(r.kept, path)
	return nil
}

// Renew says that the ladders have other trials: the copies of before are not the record any more.
func (r *Recorder) Renew() { r.kept = nil }

// keep copies the record as it was just written into an attempt's folder, or writes it.
func (r *Recorder) keep(ctx context.Context, dir string, at time.Time) (path string, err error) {
	if len(r.kept) == 0 {
		return r.write(ctx, dir, at)
	}
	path = filepath.Join(dir, filepath.Base(r.kept[0]))
	if exists(path) {
		return r.write(ctx, dir, at)
	}
	from, err := trial.OpenRegular(r.kept[0])
	if errors.Is(err, fs.ErrNotExist) {
		return r.write(ctx, dir, at)
	}
	if err != nil {
		return "", err
	}
	defer from.Close() //nolint:errcheck // read only
	return path, trial.WriteAtomic(path, func(w io.Writer) error {
		_, err := io.Copy(w, from)
		return err
	})
}

// Keep writes the record into an attempt's folder, in the place of an earlier one.
func (r *Recorder) Keep(ctx context.Context, dir string, at time.Time) error {
	_, err := r.write(ctx, dir, at)
	return err
}

func (r *Recorder) write(ctx context.Context, dir string, at time.Time) (path string, err error) {
	record, err := r.DB.recordHead(ctx, r.Sweep)
	if err != nil {
		return "", err
	}
	record.At = at.UTC()
	path = filepath.Join(dir, recordName(record.Created))
	if earlier, err := readRecordHead(path); err == nil {
		record.follow(earlier)
	}
	return path, trial.WriteAtomic(path, func(w io.Writer) error {
		z, err := gzip.NewWriterLevel(w, gzip.BestSpeed) // of its rows most is the same text again and again
		if err != nil {
			return err
		}
		if err := r.DB.writeRecord(ctx, z, record, r.Sweep); err != nil {
			return err
		}
		return z.Close()
	})
}

// follow makes r the newer one of the two, whatever the clock says, and keeps the names that attempts were launched under.
func (r *Record) follow(earlier Record) {
	for _, name := range append(earlier.Former, earlier.Name) {
		if name != r.Name && !slices.Contains(r.Former, name) {
			r.Former = append(r.Former, name)
		}
	}
	if !r.At.After(earlier.At) {
		r.At = earlier.At.Add(1)
	}
}

// KeepLast keeps the record in the folder of the newest attempt of the sweep's trials that has one, whichever sweep launched it.
func (r *Recorder) KeepLast(ctx context.Context, root string, at time.Time) error {
	ids, err := r.attempts(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if trial.CheckFolder(id.Dir(root)) == nil {
			return r.Keep(ctx, id.Dir(root), at)
		}
	}
	return nil
}

// Forget removes the record from the folders of the sweep's trials, so that a repair does not bring back what a person removes, after a cut
// of the power either.
func (r *Recorder) Forget(ctx context.Context, root string) error {
	ids, err := r.attempts(ctx)
	if err != nil {
		return err
	}
	record, err := r.DB.recordHead(ctx, r.Sweep)
	if err != nil {
		return err
	}
	for _, id := range ids {
		dir := id.Dir(root)
		if trial.CheckFolder(dir) != nil {
			continue
		}
		err := os.Remove(filepath.Join(dir, recordName(record.Created)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = trial.SyncFolder(dir)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// attempts are those of the sweep's trials, the newest first, whichever sweep launched them.
func (r *Recorder) attempts(ctx context.Context) (ids []trial.AttemptID, err error) {
	rows, err := r.DB.r.QueryContext(ctx, `SELECT a.trial_id || '/' || a.number FROM attempts a WHERE `+
		wholeSweep(r.Sweep).attempts()+` ORDER BY a.id DESC`, r.Sweep)
	err = each(rows, err, func(rows *sql.Rows) error {
		var id trial.AttemptID
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("attempts of sweep %d: %w", r.Sweep, err)
	}
	return ids, nil
}
