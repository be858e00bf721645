// Package folders is what executors do with the folders of attempts alone: read what workers and coordinators have written there, and list
// them.
package folders

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Reader reads attempts' events. It remembers how far it has read each log: a cache, the files are the truth. The zero value is ready, and
// safe for concurrent use.
type Reader struct {
	mu       sync.Mutex
	position map[trial.AttemptID]position
}

type position struct {
	offset int64
	seq    int64
}

// Events returns the attempt's events with Seq > after, the coordinator's word on its end among them: see trial.WithOutcome.
func (r *Reader) Events(root string, id trial.AttemptID, after int64) ([]trial.Event, error) {
	r.mu.Lock()
	from := r.position[id]
	r.mu.Unlock()
	if from.seq > after {
		from = position{} // asked for events that were handed out before: read them again
	}
	events, offset, err := trial.ReadEvents(filepath.Join(id.Dir(root), trial.EventsFile), from.offset)
	if len(events) > 0 {
		from.seq = events[len(events)-1].Seq
	}
	r.setPosition(id, position{offset: offset, seq: from.seq})
	if last, outcomeErr := trial.ReadOutcome(id.Dir(root)); outcomeErr != nil {
		err = errors.Join(err, outcomeErr)
	} else if last != nil && (last.Seq == from.seq+1 || last.Seq == from.seq && len(events) > 0) {
		events = trial.WithOutcome(events, last) // what an earlier coordinator said, where the database has lost it
	}
	first := slices.IndexFunc(events, func(ev trial.Event) bool { return ev.Seq > after })
	if first < 0 {
		return nil, err
	}
	return events[first:], err
}

func (r *Reader) setPosition(id trial.AttemptID, p position) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.position == nil {
		r.position = map[trial.AttemptID]position{}
	}
	r.position[id] = p
}

// stderrTail is how much of what a worker wrote is searched for why it ended. What Go's runtime says first is followed by a stack.
const stderrTail = 64 << 10

// Stderr is the end of what the attempt's worker wrote.
func Stderr(root string, id trial.AttemptID) string {
	written, err := trial.LogTail(filepath.Join(id.Dir(root), trial.StderrFile), stderrTail)
	if err != nil {
		return err.Error() // which tells as well: the disk fails
	}
	return written
}

// Trials lists the trials that have a folder, in any order.
func Trials(root string) ([]trial.ID, error) {
	folder, err := os.OpenFile(filepath.Join(root, "trials"), os.O_RDONLY|unix.O_DIRECTORY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer folder.Close() //nolint:errcheck // it was only read
	names, err := folder.Readdirnames(-1)
	ids := make([]trial.ID, len(names))
	for i, name := range names {
		ids[i] = trial.ID(name)
	}
	return ids, err
}
