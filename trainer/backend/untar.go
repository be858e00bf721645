package backend

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// untar writes one file of a .tar.gz into the folder, the first whose base name fits the pattern, and nothing else of it: no folders, no
// links. An archive that unpacks to more than most bytes is refused.
func untar(archive, pattern, dir string, most int64) (file string, err error) {
	f, err := trial.OpenInput(archive)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	gz, err := gzip.NewReader(f)
	if err != nil {
		return "", err
	}
	all := &io.LimitedReader{R: gz, N: most}
	defer func() {
		if err != nil && all.N == 0 {
			err = fmt.Errorf("it unpacks to more than %s", trial.FormatBytes(most))
		}
	}()
	r := tar.NewReader(all)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return "", fmt.Errorf("no %s in it", pattern)
		}
		if err != nil {
			return "", err
		}
		name := path.Base(h.Name)
		if fits, err := filepath.Match(pattern, name); err != nil || !fits || h.Typeflag != tar.TypeReg {
			continue
		}
		if h.Size > most { // of a sparse one, whose holes take nothing in the archive
			return "", fmt.Errorf("%s unpacks to more than %s", h.Name, trial.FormatBytes(most))
		}
		return filepath.Join(dir, name), writeNew(filepath.Join(dir, name), r)
	}
}

// writeNew writes a file that is not there yet.
func writeNew(file string, from io.Reader) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Close())
}
