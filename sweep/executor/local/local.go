package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/executor/folders"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Executor implements sweep.Executor with child processes.
type Executor struct {
	Root    string   // attempts live in Root/trials/<trial>/<number>
	Command []string // the worker's command line; the attempt's folder is appended
	Env     []string // the workers' environment; empty means this process's
	Slots   [][]int  // cores of each parallel job; empty means that workers are not pinned
	Devices int      // GPUs that the slots are dealt out to in turn; 0 on a platform without

	// Attached has workers belong to this process's group: what ends a job of a cluster reaches them, too. Others outlive this process.
	Attached bool

	HostBytes int64 // memory that all workers may use; idle ones stay only where there is plenty beside the next attempt

	events folders.Reader

	mu      sync.Mutex
	exits   map[trial.AttemptID]exit // of children this process started
	slots   map[trial.AttemptID]int  // index into Slots of the living workers known
	workers []*worker                // children of this process that live

	handing sync.Mutex // held where a worker changes its attempt, and where one is signalled
}

// exit is how a child ended.
type exit struct {
	text string
	oom  bool
}

// What tells a worker which descriptors it has inherited, the first of ExtraFiles: its event log, locked already, and its end of the
// channel for further assignments.
const (
	eventsFlag      = "--events-fd=3"
	coordinatorFlag = "--coordinator-fd=4"
)

// Start writes spec.json and gives the assignment to an idle worker of its kind, or launches one.
func (e *Executor) Start(_ context.Context, a trial.Assignment) error {
	dir, err := a.Attempt.MakeDir(e.Root)
	if err != nil {
		return fmt.Errorf("folder of attempt %s: %w", a.Attempt, err)
	}
	files, err := openFiles(dir)
	if err != nil {
		return err
	}
	defer files.close()
	if info, err := files.events.Stat(); err != nil || info.Size() > 0 {
		return fmt.Errorf("attempt %s has run before: %w", a.Attempt, errors.Join(err, fs.ErrExist))
	}
	slot := e.takeSlot(&a)
	if err := trial.WriteAssignment(dir, a); err != nil {
		return err
	}
	e.makeRoom(a, slot)
	if e.handOver(a, slot, dir, files) {
		return nil
	}
	return e.launch(a, slot, dir, files)
}

// launch starts the child and watches for its end. The child is not bound to ctx: it outlives the coordinator.
func (e *Executor) launch(a trial.Assignment, slot int, dir string, files attemptFiles) error {
	w := &worker{gone: make(chan struct{}), kind: a.Kind(), slot: slot, attempt: a.Attempt, ooms: oomKills()}
	flags, inherited := []string{eventsFlag}, []*os.File{files.events}
	if own, theirs, err := newChannel(); err == nil { // without one the worker trains this trial alone
		defer theirs.Close() //nolint:errcheck // the child has its own descriptor
		w.channel, flags, inherited = own, append(flags, coordinatorFlag), append(inherited, theirs)
	}
	args := slices.Concat(e.Command[1:], flags, []string{dir})
	w.cmd = exec.Command(e.Command[0], args...) //nolint:noctx // a worker survives its coordinator
	w.cmd.Env, w.cmd.Stdout, w.cmd.Stderr, w.cmd.ExtraFiles = e.Env, files.stdout, files.stderr, inherited
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: !e.Attached}
	if err := startPinned(w.cmd, a.Cores); err != nil {
		w.close()
		return fmt.Errorf("start worker of attempt %s: %w", a.Attempt, err)
	}
	e.mu.Lock()
	e.workers = append(e.workers, w)
	e.mu.Unlock()
	go e.reap(w)
	return nil
}

// Probe reports whether the attempt's worker lives.
func (e *Executor) Probe(_ context.Context, id trial.AttemptID) (sweep.Process, error) {
	alive, err := trial.WorkerAlive(id.Dir(e.Root))
	if err != nil {
		return sweep.Process{}, err
	}
	if alive {
		e.adoptSlot(id)
		return sweep.Process{Alive: true, Beat: trial.LastBeat(id.Dir(e.Root))}, nil
	}
	e.killFolderless(id)
	e.mu.Lock()
	defer e.mu.Unlock()
	x := e.exits[id]
	return sweep.Process{Exit: x.text, OutOfMemory: x.oom, Stderr: folders.Stderr(e.Root, id)}, nil
}

// killFolderless kills a child whose attempt has lost its folder, and with it the lock that shows that it lives: nobody will hear of it.
// One that another coordinator started notices it as it emits its next event.
func (e *Executor) killFolderless(id trial.AttemptID) {
	if _, err := os.Lstat(filepath.Join(id.Dir(e.Root), trial.EventsFile)); !errors.Is(err, fs.ErrNotExist) {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, w := range e.workers {
		if w.attempt == id && !w.waits(w.kind, w.slot) {
			_ = w.cmd.Process.Kill() // it may have ended by itself
		}
	}
}

// Events returns the attempt's events with Seq > after.
func (e *Executor) Events(_ context.Context, id trial.AttemptID, after int64) ([]trial.Event, error) {
	return e.events.Events(e.Root, id, after)
}

// Stop asks the worker to checkpoint and end (SIGTERM), or kills it. A worker that is gone already is no error.
func (e *Executor) Stop(ctx context.Context, id trial.AttemptID, kill bool) error {
	pid, err := e.pid(ctx, id)
	if err != nil || pid == 0 {
		return err
	}
	signal := syscall.SIGTERM
	if kill {
		signal = syscall.SIGKILL
	}
	e.handing.Lock()
	defer e.handing.Unlock()
	// The process may have gone on to another attempt.
	if alive, err := trial.WorkerAlive(id.Dir(e.Root)); err != nil || !alive {
		return err
	}
	if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stop attempt %s (process %d): %w", id, pid, err)
	}
	return nil
}

// pidPatience bounds the wait for a worker that holds its lock but has not written its process id yet: it writes it first
// of all, so only a machine short of everything takes longer than a moment.
const pidPatience = 5 * time.Second

// pid returns the living worker's process id, 0 when none lives. The lock is checked after the file is read, so the id
// cannot belong to a stranger that got the number of a dead worker.
func (e *Executor) pid(ctx context.Context, id trial.AttemptID) (int, error) {
	dir := id.Dir(e.Root)
	ctx, cancel := context.WithTimeout(ctx, pidPatience)
	defer cancel()
	for {
		pid, pidErr := trial.WorkerPID(dir)
		alive, err := trial.WorkerAlive(dir)
		if err != nil || !alive {
			return 0, err
		}
		if pid != 0 || pidErr != nil {
			return pid, pidErr
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("attempt %s holds its lock but wrote no process id: %w", id, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Trials lists the trials that have a folder.
func (e *Executor) Trials(context.Context) ([]trial.ID, error) { return folders.Trials(e.Root) }

// Attempts lists the attempt folders of a trial by number.
func (e *Executor) Attempts(_ context.Context, tr trial.ID) ([]trial.AttemptID, error) {
	return trial.Attempts(e.Root, tr)
}
