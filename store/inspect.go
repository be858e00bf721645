package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/mattn/go-sqlite3"

	"github.com/ranksweep/ranksweep/sweep/trial"
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
	HealthDamaged Health = "damaged" // it contradicts itself
)

// Lost reports whether a new database has to be made.
func (h Health) Lost() bool {
	return h == HealthEmpty || h == HealthOrphan || h == HealthForeign || h == HealthDamaged || h == HealthMissing
}

// Inspect says what is the matter with the database at path, with a sentence where it is not sound. It changes nothing. What keeps it from
// being read now, as a lock, a disk that fails or a missing permission, is an error and says nothing of the database.
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
	case !isFile(path):
		return HealthForeign, "it is a pipe or a device", nil
	case info.Size() == 0:
		return HealthEmpty, "it is empty", nil
	}
	head, size, err := readHeader(path)
	switch {
	case err != nil:
		return "", "", err
	case !bytes.HasPrefix(head, []byte(headerMagic)):
		return HealthForeign, "it is not a database of SQLite", nil
	case cutInPage(path, head, size):
		return HealthDamaged, "it ends within a page", nil
	}
	health, why, err := inspectFile(ctx, path)
	if err != nil || health != HealthDamaged {
		return health, why, err
	}
	// SQLite takes a disk that cannot read for a damaged file (SQLITE_IOERR_CORRUPTFS, os_unix.c): what can be read is looked at again.
	for _, file := range []string{path, path + walSuffix} {
		if err := readThrough(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", "", fmt.Errorf("database %s: %w: check the disk's health, then try again", path, err)
		}
	}
	return inspectFile(ctx, path)
}

// isFile reports whether SQLite would neither wait for what is at path nor read it without end. A link leads to where the root's owner
// keeps the database.
func isFile(path string) bool {
	info, err := os.Stat(path)
	return err != nil || info.Mode().IsRegular() || info.IsDir()
}

func readThrough(path string) error {
	f, err := trial.OpenInput(path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // read only
	_, err = io.Copy(io.Discard, f)
	return err
}

// inspectFile is Inspect of what looks like a database.
func inspectFile(ctx context.Context, path string) (Health, string, error) {
	pool := openReader(path)
	defer pool.Close() //nolint:errcheck // read only
	health, why, err := inspect(ctx, pool)
	switch {
	case err == nil:
		return health, why, nil
	case ctx.Err() != nil:
		return "", "", ctx.Err()
	case passing(err):
		return "", "", (&DB{path: path}).explain(err)
	}
	return HealthDamaged, foundDamaged + err.Error(), nil
}

// passing reports whether an error of SQLite's is about what surrounds a database, not about what is in it.
func passing(err error) bool {
	var lite sqlite3.Error
	return errors.As(err, &lite) && passingCode(lite.Code)
}

func passingCode(code sqlite3.ErrNo) bool {
	switch code {
	case sqlite3.ErrPerm, sqlite3.ErrAbort, sqlite3.ErrBusy, sqlite3.ErrLocked, sqlite3.ErrNomem, sqlite3.ErrReadonly, sqlite3.ErrInterrupt,
		sqlite3.ErrIoErr, sqlite3.ErrFull, sqlite3.ErrCantOpen, sqlite3.ErrProtocol, sqlite3.ErrNoLFS, sqlite3.ErrAuth:
		return true
	}
	return false
}

var errorCode = regexp.MustCompile(`error code[= ](\d+)`)

// passingCheck is the error of a page that integrity_check could not read for a reason that passes, which it reports among what is wrong
// with the database ("unable to get the page. error code=266", btree.c); nil where it found real damage.
func passingCheck(found string) error {
	for _, code := range errorCode.FindAllStringSubmatch(found, -1) {
		n, err := strconv.Atoi(code[1])
		if reason := sqlite3.ErrNo(n & 0xff); err == nil && passingCode(reason) {
			return fmt.Errorf("%s: %w", found, sqlite3.Error{Code: reason, ExtendedCode: sqlite3.ErrNoExtended(n)})
		}
	}
	return nil
}

// headerMagic is what a file of SQLite begins with (sqlite.org/fileformat.html, 1.3.1). The size of its pages follows.
const headerMagic = "SQLite format 3\x00"

// readHeader returns the beginning of a file, up to the size of its pages, and how long the file is, which a link to it does not tell.
func readHeader(path string) (head []byte, size int64, err error) {
	f, err := trial.OpenInput(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close() //nolint:errcheck // read only
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	head = make([]byte, len(headerMagic)+2)
	n, err := io.ReadFull(f, head)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return head[:n], info.Size(), err
}

// cutInPage reports whether a file with that header ends within one of SQLite's pages (sqlite.org/fileformat.html, 1.3.2). integrity_check
// reads such a page as zeros and may pass. Where there is a log it may have the whole page.
func cutInPage(path string, head []byte, size int64) bool {
	if log, err := os.Stat(path + walSuffix); err == nil && log.Size() > 0 {
		return false
	}
	field := head[len(headerMagic):]
	if len(field) < 2 {
		return true
	}
	page := int64(binary.BigEndian.Uint16(field))
	if page == 1 {
		page = 1 << 16
	}
	return page > 0 && size%page != 0
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
		} else if err := passingCheck(found); err != nil {
			return "", "", err
		} else if found != "" && found != "ok" {
			return HealthDamaged, foundDamaged + found, nil
		}
	}
	if found, err := brokenJSON(ctx, pool); err != nil || found != "" {
		return HealthDamaged, foundDamaged + found, err
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
	if found, err := firstText(ctx, pool, bareLadder); err != nil || found != "" {
		return HealthDamaged, found, err
	}
	return HealthSound, "", nil
}

// bareLadder names a ladder without any trial.
const bareLadder = `SELECT 'ladder ' || (l.position + 1) || ' of sweep ' || s.name || ' has lost its trials'
	FROM ladders l JOIN sweeps s ON s.id = l.sweep_id WHERE NOT EXISTS (SELECT 1 FROM rung_trials WHERE ladder_id = l.id) LIMIT 1`

var jsonColumn = regexp.MustCompile(`json_type\((\w+)\)`)

// brokenJSON names a column that is declared to hold JSON and holds something else; "" where there is none. integrity_check lets the
// flipped bit of a quotation mark pass.
func brokenJSON(ctx context.Context, pool *sql.DB) (found string, err error) {
	tables := map[string]string{}
	rows, err := pool.QueryContext(ctx, `SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%json_type(%'`)
	err = each(rows, err, func(rows *sql.Rows) error {
		var name, text string
		err := rows.Scan(&name, &text)
		tables[name] = text
		return err
	})
	if err != nil {
		return "", err
	}
	for name, text := range tables {
		for _, column := range jsonColumn.FindAllStringSubmatch(text, -1) {
			query := fmt.Sprintf(`SELECT 'a %[2]s of %[1]s is no JSON' FROM "%[1]s"
				WHERE "%[2]s" IS NOT NULL AND NOT json_valid("%[2]s") LIMIT 1`, name, column[1])
			if found, err = firstText(ctx, pool, query); err != nil || found != "" {
				return found, err
			}
		}
	}
	return "", nil
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
