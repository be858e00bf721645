package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
)

// cardFile is the model card; baseFolder holds the base of an adapter whose base only this program has.
const (
	cardFile   = "README.md"
	baseFolder = "base"
)

// writeFolder makes the folder to with what fill writes, whole or not at all: it is filled under another name beside it. A
// folder that holds something is refused; with force one that holds an earlier export is replaced.
func writeFolder(to string, force bool, fill func(dir string) error) error {
	if err := checkTarget(to, force); err != nil {
		return err
	}
	parent := filepath.Dir(to)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return fmt.Errorf("--to %s: %w", to, err)
	}
	temp, err := os.MkdirTemp(parent, "."+filepath.Base(to)+".*")
	if err != nil {
		return fmt.Errorf("--to %s: %w", to, err)
	}
	err = os.Chmod(temp, 0o755)
	if err == nil {
		err = fill(temp)
	}
	if err == nil {
		err = replaceFolder(temp, to)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(temp))
	}
	return trial.SyncFolder(parent)
}

// replaceFolder gives temp the name to. What was there is removed last, so that a crash leaves one of the two.
func replaceFolder(temp, to string) error {
	if err := trial.SyncFolder(temp); err != nil {
		return err
	}
	old := temp + ".old"
	if err := os.Rename(to, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(temp, to); err != nil {
		return errors.Join(err, os.Rename(old, to))
	}
	return os.RemoveAll(old)
}

// checkTarget refuses to overwrite what is not an earlier export.
func checkTarget(to string, force bool) error {
	entries, err := os.ReadDir(to)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return usagef("--to %s: %w", to, err)
	case len(entries) == 0:
		return nil
	case !force:
		return usagef("--to %s is not empty; name another folder, or replace an earlier export with --force", to)
	}
	for _, e := range entries {
		if !ofExport(e.Name()) {
			return usagef("--to %s holds %s, which is no part of an export: --force replaces only an earlier export; name another folder", to,
				e.Name())
		}
	}
	return nil
}

// ofExport reports whether an export may have written a file or folder of that name.
func ofExport(name string) bool {
	shard := strings.HasPrefix(name, "model-") && strings.HasSuffix(name, ".safetensors")
	return shard || name == cardFile || name == baseFolder || slices.Contains(trainer.ExportedFiles(), name)
}
