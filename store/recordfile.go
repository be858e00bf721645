package store

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
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
func ReadRecord(path string) (Record, error) { return readRecord(path, true) }

// readRecordHead reads a record without its tables, all of it as far as checksums go.
func readRecordHead(path string) (Record, error) { return readRecord(path, false) }

// What a record has at most, so that a small file cannot take all memory. A million trials have 45 MB, unpacked 1.2 GB. Of 2,000 ladders'
// record the table that grows most, of ladders, grows 49 times, and the one with the most values for its size has 1.2 for a byte (measured,
// experiments/LOG.md 2026-11-30).
const (
	mostPacked      = 256 << 20
	mostRecord      = 2 << 30
	mostRecordGrown = 256     // times
	mostRecordDense = 8       // values and rows for each byte
	smallRecord     = 1 << 16 // values or unpacked bytes that any may have
)

func readRecord(path string, tables bool) (r Record, err error) {
	packed, err := trial.ReadRegular(path, mostPacked)
	if err != nil {
		return r, err
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err == nil {
		text := &io.LimitedReader{R: z, N: min(mostRecord, smallRecord+mostRecordGrown*int64(len(packed)))}
		if err = newRecordReader(text, smallRecord+mostRecordDense*len(packed)).read(&r, tables); err == nil {
			_, err = io.Copy(io.Discard, text) // to where its checksum is compared
		}
		if text.N == 0 {
			err = errOverfull
		}
	}
	if err != nil {
		return r, fmt.Errorf("read %s: %w: %w", path, trial.ErrDamaged, err)
	}
	return r, nil
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
