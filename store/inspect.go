package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
)

// Health is what is the matter with a database file.
type Health string

// The states of a database file. The last four are beyond use.
const (
	HealthSound   Health = "sound"
	HealthMissing Health = "missing"
	HealthOld     Health = "old"     // of an earlier schema: opened to write, it is brought up to date
	HealthNewer   Health = "newer"   // of a later program
	HealthEmpty   Health = "empty"   // of no bytes
	HealthOrphan  Health = "orphan"  // its write-ahead log alone is there
	HealthForeign Health = "foreign" // no database, or another program's
	HealthDamaged Health = "damaged" // SQLite finds it inconsistent
)

// Lost reports whether a new database has to be made.
func (h Health) Lost() bool {
	return h == HealthEmpty || h == HealthOrphan || h == HealthForeign || h == HealthDamaged || h == HealthMissing
}

// Inspect says what is the matter with the database at path, with a sentence where it is not sound. It changes nothing.
func Inspect(ctx context.Context, path string) (Health, string, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && exists(path+walSuffix):
		return HealthOrphan, filepath.Base(path) + walSuffix + " is there without its database", nil
	case errors.Is(err, fs.ErrNotExist):
		return HealthMissing, "there is none", nil
	case err != nil:
		return "", "", err
	case info.IsDir():
		return HealthForeign, "it is a folder", nil
	case info.Size() == 0:
		return HealthEmpty, "it is empty", nil
	}
	if ours, err := hasHeader(path); err != nil {
		return "", "", err
	} else if !ours {
		return HealthForeign, "it is not a database of SQLite", nil
	}
	pool := openReader(path)
	defer pool.Close() //nolint:errcheck // read only
	health, why, err := inspect(ctx, pool)
	if err != nil && ctx.Err() == nil {
		return HealthDamaged, foundDamaged + err.Error(), nil
	}
	return health, why, err
}

// hasHeader reports whether a file begins as SQLite's do (sqlite.org/fileformat.html, 1.3.1).
func hasHeader(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close() //nolint:errcheck // read only
	magic := []byte("SQLite format 3\x00")
	head := make([]byte, len(magic))
	if _, err := io.ReadFull(f, head); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, err
	}
	return bytes.Equal(head, magic), nil
}

const foundDamaged = "SQLite finds it damaged: "

func inspect(ctx context.Context, pool *sql.DB) (Health, string, error) {
	var tables, ours int
	err := pool.QueryRowContext(ctx, `SELECT count(*), count(*) FILTER (WHERE name IN ('goose_db_version', 'sweeps', 'attempts'))
		FROM sqlite_schema WHERE type = 'table'`).Scan(&tables, &ours)
	switch {
	case err != nil:
		return "", "", err
	case tables == 0:
		return HealthEmpty, "it has no table", nil
	case ours != 3:
		return HealthForeign, "it is another program's database", nil
	}
	for _, check := range []string{
		`PRAGMA integrity_check(1)`,
		`SELECT "table" || ': row ' || ifnull(rowid, '?') || ' names a row of ' || "parent" || ' that is not there'
			FROM pragma_foreign_key_check LIMIT 3`,
	} {
		if found, err := firstText(ctx, pool, check); err != nil {
			return "", "", err
		} else if found != "" && found != "ok" {
			return HealthDamaged, foundDamaged + found, nil
		}
	}
	var have int64
	if err := pool.QueryRowContext(ctx, `SELECT max(version_id) FROM goose_db_version WHERE is_applied`).Scan(&have); err != nil {
		return "", "", err
	}
	newest, err := schemaVersion()
	switch {
	case err != nil:
		return "", "", err
	case have > newest:
		return HealthNewer, fmt.Sprintf("it has schema %d, this program knows up to %d", have, newest), nil
	case have < newest:
		return HealthOld, fmt.Sprintf("it has schema %d, this program has %d", have, newest), nil
	}
	return HealthSound, "", nil
}

func firstText(ctx context.Context, pool *sql.DB, query string) (text string, err error) {
	err = pool.QueryRowContext(ctx, query).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return text, err
}

// refuseForeign fails if the file at path is no database of this program, which writing into it would spoil.
func refuseForeign(ctx context.Context, path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil
	}
	pool := openUnwritable(path, url.Values{})
	defer pool.Close() //nolint:errcheck // read only
	var foreign bool
	err = pool.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table')
		AND NOT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'goose_db_version')`).Scan(&foreign)
	if err == nil && foreign {
		return fmt.Errorf("%s is another program's database: choose another folder with --root, or move it away", path)
	}
	return nil // what else is wrong with it, opening it to write tells
}
