package trial_test

import (
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// fullDisk names the folder that a process of its own writes to, because the limit that stands for a full disk is a process's.
const fullDisk = "RANKSWEEP_TEST_FULL_DISK"

// TestEmitAfterAFullDisk: an event that the disk had no room for leaves no half of a line in front of the next one.
func TestEmitAfterAFullDisk(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv(fullDisk); dir != "" {
		emitOnAFullDisk(t, dir)
		return
	}
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), fullDisk+"="+dir)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	events, _, err := trial.ReadEvents(filepath.Join(dir, trial.EventsFile), 0)
	if err != nil || len(events) != 2 || events[1].Seq != 2 || events[1].Step != 3 {
		t.Errorf("the log has %+v, %v; want the first event and the one after room was made", events, err)
	}
}

// emitOnAFullDisk has room for one event and half of another, and then for more.
func emitOnAFullDisk(t *testing.T, dir string) {
	t.Helper()
	signal.Ignore(unix.SIGXFSZ) // a write beyond the limit fails then
	file, err := trial.LockEvents(dir)
	if err != nil {
		t.Fatal(err)
	}
	log, err := trial.NewEventLog(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Emit(trial.Event{Kind: trial.EventResumed, Step: 1}); err != nil {
		t.Fatal(err)
	}
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	limit := unix.Rlimit{Cur: uint64(info.Size()) + 20, Max: unix.RLIM_INFINITY}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := log.Emit(trial.Event{Kind: trial.EventResumed, Step: 2}); err == nil {
			t.Fatal("an event was written that there is no room for")
		}
	}
	if torn, err := file.Stat(); err != nil || torn.Size() != int64(limit.Cur) {
		t.Fatalf("the log has %d bytes, %v; want half a line", torn.Size(), err)
	}
	limit.Cur = unix.RLIM_INFINITY
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := log.Emit(trial.Event{Kind: trial.EventResumed, Step: 3}); err != nil {
		t.Fatal(err)
	}
}
