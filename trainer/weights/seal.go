package weights

import (
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

// sealedOf begins the line of SumsFile that says whose the files are, TRIAL/FOLDER: sha256sum passes over it.
const sealedOf = "# trial "

// Seal writes the checksums of a folder's files, of which trial they are, and of which of its folders. ReadAdapter and ReadFull compare
// them from then on.
func Seal(dir string, of trial.ID) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("seal %s: %w", dir, err)
	}
	var lines strings.Builder
	fmt.Fprintf(&lines, "%s%s/%s\n", sealedOf, of, filepath.Base(filepath.Clean(dir)))
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
// that are not as they were written, or in another folder of an attempt than they were written in, are an error that wraps
// trial.ErrDamaged.
func CheckSeal(dir string) error {
	text, err := trial.ReadInput(filepath.Join(dir, SumsFile), maxAdapterConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	of := ""
	for line := range strings.SplitSeq(strings.TrimSuffix(string(text), "\n"), "\n") {
		if whose, ok := strings.CutPrefix(line, sealedOf); ok && of == "" {
			of = whose
			continue
		}
		want, name, ok := strings.Cut(line, "  ")
		got := ""
		if ok && filepath.IsLocal(name) {
			got, err = sumOf(filepath.Join(dir, name))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, trial.ErrInput) && !errors.Is(err, ErrFormat) {
			return err
		}
		if got != want || !ok {
			return fmt.Errorf("%w: %s is not as it was written: restore the folder from a copy, or have its trial trained again "+
				"(sweep retry TRIAL); where it was changed on purpose, remove %s", trial.ErrDamaged, filepath.Join(dir, name), SumsFile)
		}
	}
	return checkOwner(dir, of)
}

// checkOwner fails where a folder that lies in an attempt's is of another trial than that, or another one of the trial's. Earlier versions
// did not say which folder it is, or nothing: then another rank tells.
func checkOwner(dir, of string) error {
	attempt, folder := filepath.Split(filepath.Clean(dir))
	attempt = filepath.Clean(attempt)
	here := trial.AttemptOf(attempt).Trial()
	id, sealed, _ := strings.Cut(of, "/")
	if here == "" || id == string(here) && (sealed == "" || sealed == folder) {
		return nil
	}
	whose := "of trial " + id
	switch {
	case id == string(here):
		whose = "its " + sealed
	case id == "":
		rank, err := otherRank(dir, attempt)
		if err != nil || rank == 0 {
			return err
		}
		whose = fmt.Sprintf("of an adapter of rank %d", rank)
	}
	return fmt.Errorf("%w: what lies in %s is %s, not the %s of trial %s: restore the folder from a copy, or have its trial trained again "+
		"(sweep retry TRIAL)", trial.ErrDamaged, dir, whose, folder, here)
}

// otherRank is the rank of an adapter that has another than the attempt's trial, or 0.
func otherRank(dir, attempt string) (int, error) {
	a, err := trial.ReadAssignment(attempt)
	if err != nil {
		return 0, nil //nolint:nilerr // it tells nothing of the adapter
	}
	text, err := ReadAdapterConfig(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil // trained in full
	}
	if err != nil {
		return 0, err
	}
	config, err := parseAdapterConfig(text)
	if err != nil || config.R == a.Trial.Spec.LoRA.Serving(nil).Rank { // of PiSSA, twice the trial's
		return 0, err
	}
	return config.R, nil
}

// sumOf sums up a file. One that is too large for a configuration has weights, and is as long as its header says, or it is not read.
func sumOf(path string) (string, error) {
	f, err := trial.OpenInput(path)
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // read only
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if info.Size() > maxAdapterConfig {
		if _, err := Metadata(f, info.Size()); err != nil {
			return "", err
		}
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
