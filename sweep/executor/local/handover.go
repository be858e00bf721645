package local

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// worker is a child of this process.
type worker struct {
	cmd     *exec.Cmd
	channel *net.UnixConn // nil where there is none
	gone    chan struct{} // closed once the process has ended
	kind    string        // of its assignments
	slot    int           // index into Slots; noSlot without

	// Guarded by Executor.mu.
	attempt trial.AttemptID // that it runs, or ran last while it is idle
	ooms    int64           // of the system when the attempt began
	idle    bool
}

const noSlot = -1

// What is said through a channel: the worker says that it waits for another assignment and that it has taken one. The coordinator names
// an attempt's folder and passes on its open files.
const (
	saysIdle  = "idle"
	saysTaken = "taken"
)

// handoverPatience bounds the wait for a worker's answer, which takes it a moment.
const handoverPatience = 5 * time.Second

// attemptFiles are the open files of an attempt's folder: the event log, locked, and the two logs.
type attemptFiles struct{ events, stdout, stderr *os.File }

func (f attemptFiles) close() {
	for _, file := range []*os.File{f.events, f.stdout, f.stderr} {
		if file != nil {
			_ = file.Close() // the worker has descriptors of its own
		}
	}
}

// waits reports whether the worker waits for an assignment of a kind on a slot. Executor.mu is held. A worker says that it is idle before
// it lets go of its attempt's lock: of an attempt that Probe calls dead, that has been said.
func (w *worker) waits(kind string, slot int) bool {
	if w.channel == nil || w.kind != kind || w.slot != slot {
		return false
	}
	w.idle = w.idle || pending(w.channel) == saysIdle
	return w.idle
}

// hears reports whether the next message, for which it waits so long, is that one.
func (w *worker) hears(message string, patience time.Duration) bool {
	if w.channel.SetReadDeadline(time.Now().Add(patience)) != nil {
		return false
	}
	text := make([]byte, len(message)+1)
	n, err := w.channel.Read(text)
	return err == nil && string(text[:n]) == message
}

// handOver gives the assignment to an idle worker, if there is one. A worker that does not take it is killed, so that it never will.
func (e *Executor) handOver(a trial.Assignment, slot int, dir string, files attemptFiles) bool {
	e.handing.Lock()
	defer e.handing.Unlock()
	w := e.claim(a, slot)
	if w == nil {
		return false
	}
	rights := syscall.UnixRights(int(files.events.Fd()), int(files.stdout.Fd()), int(files.stderr.Fd()))
	if _, _, err := w.channel.WriteMsgUnix([]byte(dir), rights, nil); err == nil && w.hears(saysTaken, handoverPatience) {
		return true
	}
	_ = w.cmd.Process.Kill() // it may have ended by itself
	<-w.gone
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.exits, a.Attempt) // which was not this worker's
	return false
}

// claim makes an idle worker the assignment's.
func (e *Executor) claim(a trial.Assignment, slot int) *worker {
	e.mu.Lock()
	defer e.mu.Unlock()
	kind := a.Kind()
	i := slices.IndexFunc(e.workers, func(w *worker) bool { return w.waits(kind, slot) })
	if i < 0 {
		return nil
	}
	w := e.workers[i]
	w.attempt, w.ooms, w.idle = a.Attempt, oomKills(), false
	return w
}

// makeRoom ends idle workers that cannot take the assignment: those of its slot, and all where memory may be short. The scheduler takes
// what they hold for free, so they stay only beside an attempt whose rank below was measured, with as much again to spare.
func (e *Executor) makeRoom(a trial.Assignment, slot int) {
	kind, short := a.Kind(), true
	if c := a.Calibration; c != nil && c.PeakBytes > 0 {
		e.mu.Lock()
		short = e.resident()+2*c.PeakBytes > e.HostBytes/2
		e.mu.Unlock()
	}
	e.dismiss(func(w *worker) bool { return (short || w.slot == slot) && (w.kind != kind || w.slot != slot) })
}

// Close ends the idle workers. The others end by themselves once their attempt is done and this process is gone.
func (e *Executor) Close() error {
	e.dismiss(func(*worker) bool { return true })
	return nil
}

// dismiss ends those of the idle workers, and waits for it.
func (e *Executor) dismiss(which func(*worker) bool) {
	e.mu.Lock()
	var leaving []*worker
	for _, w := range e.workers {
		if which(w) && w.waits(w.kind, w.slot) {
			w.idle = false
			w.close() // tells the worker to exit
			leaving = append(leaving, w)
		}
	}
	e.mu.Unlock()
	for _, w := range leaving {
		select {
		case <-w.gone:
		case <-time.After(handoverPatience):
			_ = w.cmd.Process.Kill()
		}
	}
}

// resident is the memory that the workers hold. e.mu is held.
func (e *Executor) resident() (bytes int64) {
	for _, w := range e.workers {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", w.cmd.Process.Pid))
		var size, resident int64
		if _, scanErr := fmt.Sscan(string(text), &size, &resident); err != nil || scanErr != nil {
			continue // gone
		}
		bytes += resident * int64(os.Getpagesize())
	}
	return bytes
}

// reap waits for a child, so that it leaves no zombie, and remembers how it ended.
func (e *Executor) reap(w *worker) {
	_ = w.cmd.Wait()
	status, _ := w.cmd.ProcessState.Sys().(syscall.WaitStatus)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.exits == nil {
		e.exits = map[trial.AttemptID]exit{}
	}
	killed := status.Signaled() && status.Signal() == syscall.SIGKILL
	e.exits[w.attempt] = exit{text: w.cmd.ProcessState.String(), oom: killed && oomKills() > w.ooms}
	e.workers = slices.DeleteFunc(e.workers, func(other *worker) bool { return other == w })
	w.close()
	close(w.gone)
}

func (w *worker) close() {
	if w.channel != nil {
		_ = w.channel.Close()
	}
}

// openFiles opens the attempt's files and takes the lock of its event log.
func openFiles(dir string) (attemptFiles, error) {
	events, err := trial.LockEvents(dir)
	if err != nil {
		return attemptFiles{}, err
	}
	f := attemptFiles{events: events}
	for _, log := range []struct {
		name string
		file **os.File
	}{{trial.StdoutFile, &f.stdout}, {trial.StderrFile, &f.stderr}} {
		if *log.file, err = trial.OpenFile(filepath.Join(dir, log.name), os.O_WRONLY|os.O_APPEND); err != nil {
			f.close()
			return attemptFiles{}, err
		}
	}
	return f, nil
}
