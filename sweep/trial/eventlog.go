package trial

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// The files of an attempt's folder, the contract between a coordinator and its workers.
const (
	SpecFile   = "spec.json"    // the Assignment, written before the worker starts
	EventsFile = "events.jsonl" // the only channel from the worker; its lock proves that the worker lives
	PIDFile    = "pid"          // written by the worker first of all, so that it can be signalled
	StdoutFile = "stdout.log"
	StderrFile = "stderr.log"
)

// ErrWorkerRuns says that an attempt's event log is held by a living worker.
var ErrWorkerRuns = errors.New("a worker already runs this attempt")

// LockEvents opens the event log in dir, creating it when needed, and takes its lock. The lock belongs to the open file:
// a child process that inherits the file holds it too, until the last of them ends, however it ends.
func LockEvents(dir string) (*os.File, error) {
	f, err := OpenFile(filepath.Join(dir, EventsFile), os.O_RDWR|os.O_APPEND)
	if err != nil {
		return nil, err
	}
	taken, err := TakeLock(f)
	if err == nil && !taken {
		err = ErrWorkerRuns
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", filepath.Join(dir, EventsFile), err)
	}
	return f, nil
}

// WorkerAlive reports whether a living process holds the event log in dir.
func WorkerAlive(dir string) (bool, error) { return LockHeld(filepath.Join(dir, EventsFile)) }

// WorkerPID is the process id that the worker of the attempt in dir has written, 0 while there is none to read. What names no single
// process is refused: kill(2) would take it for a group, or for everything.
func WorkerPID(dir string) (int, error) {
	path := filepath.Join(dir, PIDFile)
	text, err := ReadRegular(path, MostWord)
	if err != nil || len(text) == 0 {
		return 0, nil //nolint:nilerr // it may come to be there
	}
	pid, err := strconv.Atoi(string(text))
	if err == nil && pid <= 1 {
		err = fmt.Errorf("%s names process %d, which is no worker", path, pid)
	}
	return pid, err
}

// Beat says that the worker of the attempt in dir has got further, between two events: the event log looks as if it was written to just
// now. A beat that is lost is made up for by the next.
func Beat(dir string) {
	now := time.Now()
	_ = os.Chtimes(filepath.Join(dir, EventsFile), now, now)
}

// LastBeat changes with each event and each Beat of the attempt in dir.
func LastBeat(dir string) int64 {
	info, err := os.Stat(filepath.Join(dir, EventsFile))
	if err != nil {
		return 0
	}
	return info.ModTime().UnixNano()
}

// EventLog appends a worker's events. It is safe for concurrent use.
type EventLog struct {
	mu   sync.Mutex
	file *os.File
	seq  int64
	size int64 // of the whole lines
	torn bool  // a write failed, perhaps in the middle of a line
	now  func() time.Time
}

// NewEventLog continues the log in a file from LockEvents. A line torn by a crash is cut off first.
func NewEventLog(file *os.File) (*EventLog, error) {
	log := &EventLog{file: file, now: time.Now}
	var err error
	if log.size, err = eachEvent(from(file, 0), func(e Event) { log.seq = e.Seq }); err != nil {
		return nil, fmt.Errorf("read %s: %w", file.Name(), err)
	}
	return log, file.Truncate(log.size)
}

// Emit appends one event, filling in Seq and At. Checkpoint and ended events are on disk when it returns. It fails where the log is gone
// from its folder, so that nobody reads it: the coordinator takes the worker for dead, and starts another.
func (l *EventLog) Emit(e Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.Seq, e.At = l.seq+1, l.now().UTC()
	line, err := e.MarshalLine()
	if err != nil {
		return fmt.Errorf("encode %s event: %w", e.Kind, err)
	}
	if l.torn {
		if err := l.file.Truncate(l.size); err != nil {
			return fmt.Errorf("cut off a torn event: %w", err)
		}
	}
	_, err = l.file.Write(line)
	if l.torn = err != nil; l.torn {
		return fmt.Errorf("append %s event: %w", e.Kind, err)
	}
	l.size += int64(len(line))
	if _, err := os.Lstat(l.file.Name()); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("append %s event: the attempt's folder was removed: %w", e.Kind, err)
	}
	l.seq = e.Seq
	if e.Kind == EventCheckpoint || e.Kind == EventEnded {
		return l.file.Sync()
	}
	return nil
}

// SyncEvents makes durable what the attempt in dir has emitted, where it has an event log.
func SyncEvents(dir string) error {
	f, err := OpenRegular(filepath.Join(dir, EventsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("sync the events: %w", err)
	}
	return nil
}

// ReadEvents reads the complete lines of an events.jsonl from a byte offset and returns the offset after them. A file that
// does not exist yet has no events. One of another attempt, or damaged, is an error that wraps ErrDamaged.
func ReadEvents(path string, offset int64) ([]Event, int64, error) {
	f, err := OpenRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, offset, nil
	}
	if err != nil {
		return nil, offset, err
	}
	defer f.Close() //nolint:errcheck // read only
	events, read, err := ParseEvents(from(f, offset))
	if err != nil && !errors.Is(err, ErrDamaged) {
		return nil, offset, fmt.Errorf("read %s: %w", path, err)
	}
	if len(events) > 0 {
		if foreign := AttemptOf(filepath.Dir(path)).owns(events[0]); foreign != nil {
			return nil, offset, fmt.Errorf("read %s: %w", path, foreign)
		}
	}
	if err != nil {
		return events, offset + read, fmt.Errorf("read %s: %w", path, err)
	}
	return events, offset + read, nil
}

// from reads a file from an offset on.
func from(f *os.File, offset int64) io.Reader {
	return io.NewSectionReader(f, offset, math.MaxInt64-offset)
}
