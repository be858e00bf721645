package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path/filepath"

	"github.com/pressly/goose/v3"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

//go:embed migrations/*.sql
var migrations embed.FS

// views are the database's views. They hold no facts, so they are laid anew instead of migrated.
//
//go:embed views.sql
var views string

// schemaVersion returns the number of the last migration.
func schemaVersion() (int64, error) {
	files, err := fs.Glob(migrations, "migrations/*.sql") // in their order
	if err != nil {
		return 0, err
	}
	return goose.NumericComponent(files[len(files)-1])
}

// migrate brings the file to the last migration. A file lock keeps a second coordinator from migrating at the same moment, and Repair waits
// with another until nobody has the file open to write.
func (d *DB) migrate(ctx context.Context) (err error) {
	lock, err := waitFileLock(ctx, d.lockPath("migrate"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.release()) }()
	if d.writing, err = shareFileLock(d.lockPath(writersLock)); err != nil {
		return fmt.Errorf("open database %s to write: %w", d.path, err)
	}
	return d.migrateHeld(ctx)
}

// migrateHeld is migrate under the lock.
func (d *DB) migrateHeld(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, d.w, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	have, newest, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read the version of database %s: %w", d.path, err)
	}
	if have > newest {
		return d.newerError(have, newest)
	}
	if have > 0 && have < newest {
		if err := d.keepOld(ctx, have); err != nil {
			return err
		}
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate database %s: %w", d.path, err)
	}
	if err := d.layViews(ctx); err != nil {
		return fmt.Errorf("lay the views of database %s: %w", d.path, err)
	}
	return nil
}

// keepOld copies the database before it is migrated, once for each schema: a program of then can go on from the copy.
func (d *DB) keepOld(ctx context.Context, version int64) error {
	path := fmt.Sprintf("%s.v%d-backup", d.path, version)
	err := d.Backup(ctx, path)
	if errors.Is(err, fs.ErrExist) { // a migration that went no further, or the database was put back
		return nil
	}
	if err != nil {
		return fmt.Errorf("keep the database as it is before it is migrated: %w", err)
	}
	d.kept = path
	return nil
}

// Kept is where Open kept the database as it was before migrating it; "" where it was of this program's schema.
func (d *DB) Kept() string { return d.kept }

// layViews brings the views to this program's, all or none, where others were laid last: the user_version tells.
func (d *DB) layViews(ctx context.Context) error {
	want := viewsVersion()
	var have uint32
	if err := d.w.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&have); err != nil || have == want {
		return err
	}
	return d.layViewsAnew(ctx)
}

func (d *DB) layViewsAnew(ctx context.Context) error {
	return d.transact(ctx, d.w, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, views+fmt.Sprintf("PRAGMA user_version = %d", viewsVersion()))
		return err
	})
}

func viewsVersion() uint32 {
	const positive = 1<<31 - 1 // a user_version is signed
	return crc32.ChecksumIEEE([]byte(views)) & positive
}

// checkVersion refuses a file that this program cannot read.
func (d *DB) checkVersion(ctx context.Context) error {
	var have int64
	row := d.r.QueryRowContext(ctx, `SELECT max(version_id) FROM goose_db_version WHERE is_applied`)
	if err := row.Scan(&have); err != nil {
		return fmt.Errorf("read the version of database %s (is it one of sweep's?): %w", d.path, err)
	}
	newest, err := schemaVersion()
	switch {
	case err != nil:
		return err
	case have > newest:
		return d.newerError(have, newest)
	case have < newest:
		return fmt.Errorf("database %s has schema %d, this program reads schema %d: bring it up to date with: %s", d.path, have, newest,
			trial.Command(filepath.Dir(d.path), "resume"))
	}
	return nil
}

func (d *DB) newerError(have, newest int64) error {
	return fmt.Errorf("database %s has schema %d, this program knows up to %d: use a newer sweep", d.path, have, newest)
}
