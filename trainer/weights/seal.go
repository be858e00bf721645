package weights

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// SumsFile holds the SHA-256 of the other files of a trial's adapter folder, as sha256sum writes and checks them.
const SumsFile = "sweep.sha256"

// Seal writes the checksums of a folder's files. ReadAdapter and ReadFull compare them from then on.
func Seal(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("seal %s: %w", dir, err)
	}
	var lines strings.Builder
	for _, e := range entries {
		if e.Name() == SumsFile {
			continue
		}
		sum, err := sumOf(filepath.Join(dir, e.Name()))
		if err != nil {
			return fmt.Errorf("seal %s: %w", dir, err)
		}
		fmt.Fprintf(&lines, "%s  %s\n", sum, e.Name())
	}
	return trial.WriteAtomic(filepath.Join(dir, SumsFile), func(w io.Writer) error {
		_, err := io.WriteString(w, lines.String())
		return err
	})
}

// CheckSeal compares a folder's files with their checksums. A folder without any is another program's, or of an earlier version. Files
// that are not as they were written are an error that wraps trial.ErrDamaged.
func CheckSeal(dir string) error {
	f, err := trial.OpenInput(filepath.Join(dir, SumsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // read only
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		want, name, ok := strings.Cut(lines.Text(), "  ")
		got := ""
		if ok && filepath.IsLocal(name) {
			got, err = sumOf(filepath.Join(dir, name))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, trial.ErrInput) {
			return err
		}
		if got != want || !ok {
			return fmt.Errorf("%w: %s is not as it was written: restore the folder from a copy, or have its trial trained again "+
				"(sweep retry TRIAL); where it was changed on purpose, remove %s", trial.ErrDamaged, filepath.Join(dir, name), SumsFile)
		}
	}
	return lines.Err()
}

func sumOf(path string) (string, error) {
	f, err := trial.OpenInput(path)
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // read only
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
