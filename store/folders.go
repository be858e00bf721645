package store

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Loss is something in a root that cannot be taken into the database.
type Loss struct {
	Path string
	Err  error
}

// attemptFolder is what an attempt's folder says.
type attemptFolder struct {
	id         trial.AttemptID
	dir        string
	assignment *trial.Assignment // nil where spec.json cannot be read
	events     []trial.Event
	intended   time.Time // about: the worker's first word, or when spec.json was written
}

// folders are the attempts below ROOT/trials, by trial and number, and the newest record of each sweep, the newest first.
type folders struct {
	attempts []attemptFolder
	records  []Record
	holders  map[string][]int64 // by a name, the sweeps that have it or had it, by when they were created
	losses   []Loss
}

var trialName = regexp.MustCompile(`^[0-9a-f]{16}$`)

// readFolders reads all there is below ROOT/trials. Links are not followed.
func readFolders(root string) (folders, error) {
	f := folders{holders: map[string][]int64{}}
	newest := map[int64]Record{}
	trials, err := os.ReadDir(filepath.Join(root, "trials"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	for _, t := range trials {
		if !t.IsDir() || !trialName.MatchString(t.Name()) {
			continue
		}
		ids, err := trial.Attempts(root, trial.ID(t.Name()))
		if err != nil {
			return f, err
		}
		for _, id := range ids {
			records, err := f.read(id, id.Dir(root))
			if err != nil {
				return f, err
			}
			for _, r := range records {
				for _, name := range append(r.Former, r.Name) {
					f.holders[name] = append(f.holders[name], r.Created)
				}
				if known, ok := newest[r.Created]; !ok || r.At.After(known.At) {
					newest[r.Created] = r
				}
			}
		}
	}
	for _, created := range f.holders {
		slices.Sort(created)
	}
	f.records = slices.SortedFunc(maps.Values(newest), func(a, b Record) int { return b.At.Compare(a.At) })
	return f, nil
}

// launcher is today's name of the sweep that had a name at a time: a rename frees the former one for another sweep.
func (f folders) launcher(name string, at time.Time) string {
	today := name
	for i, created := range f.holders[name] {
		if i == 0 || created <= at.UnixNano() {
			today = f.records[slices.IndexFunc(f.records, func(r Record) bool { return r.Created == created })].Name
		}
	}
	return today
}

// read takes in an attempt's folder, and returns the records in it.
func (f *folders) read(id trial.AttemptID, dir string) ([]Record, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	a := attemptFolder{id: id, dir: dir}
	assignment, err := trial.ReadAssignment(dir)
	switch {
	case err == nil && assignment.Attempt != id:
		f.lose(filepath.Join(dir, trial.SpecFile), fmt.Errorf("%w: it is of attempt %s", trial.ErrDamaged, assignment.Attempt))
	case err == nil:
		a.assignment = &assignment
	case !errors.Is(err, fs.ErrNotExist):
		f.lose(filepath.Join(dir, trial.SpecFile), err)
	}
	if a.events, err = trial.ReadFolder(dir); err != nil {
		f.lose(filepath.Join(dir, trial.EventsFile), err)
	}
	var records []Record
	for _, file := range files {
		path := filepath.Join(dir, file.Name())
		if info, err := file.Info(); err == nil && file.Name() == trial.SpecFile {
			a.intended = info.ModTime().UTC()
		}
		if !IsRecord(file.Name()) || !file.Type().IsRegular() {
			continue
		}
		r, err := ReadRecord(path)
		if err != nil {
			f.lose(path, err)
			continue
		}
		records = append(records, r)
	}
	if len(a.events) > 0 {
		a.intended = a.events[0].At
	}
	f.attempts = append(f.attempts, a)
	return records, nil
}

func (f *folders) lose(path string, err error) { f.losses = append(f.losses, Loss{path, err}) }
