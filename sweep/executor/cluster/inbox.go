package cluster

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// entry is an attempt that waits for a pilot. It is an empty file: its name says all, so that one look at the folder tells what waits, and
// nothing can be read before it was written.
type entry struct {
	Order   int64 // nanoseconds since 1970 at which it was put in, by the coordinator's clock: older ones are taken first
	Job     JobID
	Attempt trial.AttemptID
	Kind    string // of the assignment, as warmKind says
	Request Request
	// Expected is how long it will take, without the margin that Request has for a job of its own; 0: not known.
	Expected time.Duration
}

// warmKind is a short name of an assignment's kind: one process can train those of a kind one after another.
func warmKind(a trial.Assignment) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(a.Kind())))[:12]
}

// name is the entry's file. Names sort as the entries do, and have no more than the 255 characters of a file's.
func (e entry) name() string {
	return fmt.Sprintf("%020d,%s,%d,%s,%d,%s,%d,%d,%d,%d", e.Order, e.Job.Batch, e.Job.Index, e.Attempt.Trial(), e.Attempt.Number(), e.Kind,
		e.Request.Memory, int64(e.Request.Time/time.Second), e.Request.Devices, int64(e.Expected/time.Second))
}

// parseEntry reads a name. What else lies in a folder is none.
func parseEntry(name string) (entry, bool) {
	parts := strings.Split(name, ",")
	if len(parts) != 10 || strings.Contains(name, "/") {
		return entry{}, false
	}
	n := make([]int64, len(parts))
	for _, i := range []int{0, 2, 4, 6, 7, 8, 9} {
		var err error
		if n[i], err = strconv.ParseInt(parts[i], 10, 64); err != nil || n[i] < 0 {
			return entry{}, false
		}
	}
	e := entry{
		Order: n[0], Job: JobID{Batch: parts[1], Index: int(n[2])}, Attempt: trial.NewAttemptID(trial.ID(parts[3]), int(n[4])), Kind: parts[5],
		Request:  Request{Memory: n[6], Time: time.Duration(n[7]) * time.Second, Devices: int(n[8])},
		Expected: time.Duration(n[9]) * time.Second,
	}
	return e, e.name() == name
}

// Waiting are the folders of a root's attempts that wait for a pilot.
func Waiting(root string) (dirs []string, err error) {
	waiting, err := entries(filepath.Join(root, pilotsFolder, inboxFolder))
	for _, e := range waiting {
		dirs = append(dirs, e.Attempt.Dir(root))
	}
	return dirs, err
}

// entries are those in a folder, the oldest first. A folder that is not there has none.
func entries(dir string) ([]entry, error) {
	names, err := list(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var found []entry
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if e, ok := parseEntry(name); ok {
			found = append(found, e)
		}
	}
	return found, err
}
