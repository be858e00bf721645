package wire

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// FileName is a name as files and folders may have it everywhere.
func FileName(name string) string {
	return strings.TrimLeft(regexp.MustCompile(`[^A-Za-z0-9._=+-]+`).ReplaceAllString(name, "_"), ".")
}

// Extend makes a file hold the contents, by adding to it where it has their beginning.
func Extend(path string, contents []byte) error {
	have, err := trial.ReadRegular(path, int64(len(contents)))
	other := errors.Is(err, trial.ErrDamaged) // no file, or a longer one
	if err != nil && !other && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	rest, ok := bytes.CutPrefix(contents, have)
	switch {
	case !ok || other:
		return trial.WriteAtomic(path, func(w io.Writer) error { _, err := w.Write(contents); return err })
	case len(rest) == 0:
		return nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(rest)
	return errors.Join(err, f.Close())
}
