package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Backup writes the facts of this moment to a database file of their own, whoever is writing them: unlike a copy of the file, whose
// newest facts lie in the write-ahead log beside it. The file must not exist. It appears under its name once it is safe on disk.
func (d *DB) Backup(ctx context.Context, path string) error {
	if err := d.backup(ctx, path); err != nil {
		return fmt.Errorf("back up %s to %s: %w", d.path, path, err)
	}
	return nil
}

func (d *DB) backup(ctx context.Context, path string) (err error) {
	if _, err := os.Lstat(path); err == nil {
		return fs.ErrExist
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), filepath.Base(path)+".tmp-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	temp := filepath.Join(dir, "sweep.db")
	from := openUnwritable(d.path, url.Values{}) // VACUUM INTO counts as writing where _query_only is set
	_, err = from.ExecContext(ctx, "VACUUM INTO ?", temp)
	if err := errors.Join(err, from.Close()); err != nil {
		return err
	}
	if err := syncFile(temp); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	return trial.SyncFolder(filepath.Dir(path))
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
