package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ranksweep/ranksweep/cmd/sweep/disktest"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// victim is a sweep that something happens to while it works.
type victim struct {
	*testSweep
	random *rand.Rand
	took   time.Duration // an undisturbed sweep

	disk *disktest.Disk // what the root is on, where that can fail
	tmp  string         // or a tmpfs
}

// fault is one thing that may happen to a sweep that works.
type fault struct {
	name   string
	on     func(*victim) // what the root is on; nil: any disk
	strike func(*victim, *running)
}

// faults are all of them but deaths. Whatever its coordinator makes of one, the sweep must end as if nothing had been.
var faults = []fault{ //nolint:gochecknoglobals // a table
	{"a coordinator is frozen", nil, freezeCoordinator},
	{"a frozen coordinator is replaced", nil, replaceCoordinator},
	{"workers are frozen", nil, freezeWorkers},
	{"workers hang for ever", nil, hangWorkers},
	{"64 descriptors", nil, limitOpenFiles},
	{"the disk is full", onTmpfs, fillDisk},
	{"no inodes", onTmpfs, useInodes},
	{"reads fail", onDisk, failing(syscall.EIO, disktest.Read)},
	{"writes fail", onDisk, failing(syscall.EIO, disktest.Write)},
	{"syncs fail", onDisk, failing(syscall.EIO, disktest.Sync)},
	{"the disk turns read-only", onDisk, failing(syscall.EROFS, disktest.Write, disktest.Create)},
}

// TestFaultsLoseNothing has each fault happen to a sweep, once or for rounds, and lets it go on.
func TestFaultsLoseNothing(t *testing.T) {
	t.Parallel()
	if !disktest.Own(t, binaryVariable+"="+sweepBinary(t)) {
		return
	}
	seed := seedOf(t)
	began := time.Now()
	whole := newTestSweep(t, backend.PlatformGo, 60)
	whole.finish()
	want, took := whole.proof(), time.Since(began)
	for i, f := range faults {
		rounds := rounds(t, i, seed)
		if rounds == 0 {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			for range rounds {
				v := &victim{testSweep: newTestSweep(t, backend.PlatformGo, 60), random: random, took: took}
				v.suffer(f)
				v.finish()
				v.mustEqual(want, f.name)
				v.mustHoldEveryEvent()
				v.discard()
			}
		})
	}
}

// suffer has the fault happen twice, and leaves the sweep as it stands then, on an ordinary disk.
func (v *victim) suffer(f fault) {
	v.t.Helper()
	if f.on != nil {
		f.on(v)
	}
	for range 2 {
		cmd, done := v.stint(v.random, v.took, v.start(v.command()), func(cmd *running) { f.strike(v, cmd) })
		if err := cmd.cleanly(); err != nil {
			v.t.Errorf("%s: %v", f.name, err)
		}
		if !cmd.endedWith(exitOK, exitInterrupted) {
			v.t.Logf("%s: exit code %d: %s", f.name, cmd.ProcessState.ExitCode(), lastLine(cmd.said.String()))
		}
		if done {
			break
		}
	}
	if v.disk == nil {
		return
	}
	endAll(v.t, v.path("disk"))
	root := v.path("afterwards")
	if err := v.disk.Image().Restore(root, disktest.LoseNothing, 0); err != nil {
		v.t.Fatal(err)
	}
	v.root, v.aside = filepath.Join(root, "runs"), nil
}

// aWhile is how long a fault lasts.
func (v *victim) aWhile() { time.Sleep(v.took/8 + time.Duration(v.random.Float64()*float64(v.took)/2)) }

func freezeCoordinator(v *victim, cmd *running) {
	v.awaitWorkers(cmd)
	_ = cmd.Process.Signal(syscall.SIGSTOP)
	holds := v.livingWorkers() > 0 // else it may be done
	v.aWhile()
	if second := v.start(v.command()); !second.endedWith(exitLocked) && holds {
		v.t.Errorf("beside a frozen coordinator another one ended with exit code %d:\n%s", second.wait(), second.said.String())
	}
	_ = cmd.Process.Signal(syscall.SIGCONT)
}

// replaceCoordinator takes the lock from a frozen coordinator, as one who deletes it does. When it wakes up it must see that the sweep is
// another's.
func replaceCoordinator(v *victim, cmd *running) {
	v.awaitWorkers(cmd)
	_ = cmd.Process.Signal(syscall.SIGSTOP)
	locks, err := filepath.Glob(filepath.Join(v.rootDir(), "locks", "sweep-*.lock"))
	if err != nil {
		v.t.Fatal(err)
	}
	for _, lock := range locks {
		_ = os.Remove(lock)
	}
	second := v.start(v.command())
	time.Sleep(v.took / 4)
	_ = cmd.Process.Signal(syscall.SIGCONT)
	if len(locks) > 0 && !cmd.endedWith(exitLocked, exitOK) {
		v.t.Errorf("a coordinator that was replaced ended with exit code %d:\n%s", cmd.ProcessState.ExitCode(), cmd.said.String())
	}
	second.wait()
}

func freezeWorkers(v *victim, _ *running) {
	var frozen []int
	v.workers(func(pid int) {
		if syscall.Kill(pid, syscall.SIGSTOP) == nil {
			frozen = append(frozen, pid)
		}
	})
	v.aWhile()
	for _, pid := range frozen {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
}

// hangWorkers starts the sweep again with little patience, and stops its workers for good.
func hangWorkers(v *victim, cmd *running) {
	_ = cmd.Process.Signal(syscall.SIGTERM)
	cmd.wait()
	again := v.command()
	again.Args = append(again.Args, "--hung-after", "5s")
	impatient := v.start(again)
	v.awaitWorkers(impatient)
	var stopped []int
	v.workers(func(pid int) {
		if syscall.Kill(pid, syscall.SIGSTOP) == nil {
			stopped = append(stopped, pid)
		}
	})
	if !impatient.endedWith(exitOK) {
		v.t.Errorf("with workers that hang: exit code %d:\n%s", impatient.ProcessState.ExitCode(), impatient.said.String())
	}
	for _, pid := range stopped {
		if syscall.Kill(pid, 0) == nil {
			v.t.Errorf("process %d, which hung, is still there", pid)
		}
	}
}

// limitOpenFiles starts the sweep again with few descriptors. Its workers get no more.
func limitOpenFiles(v *victim, cmd *running) {
	_ = cmd.Process.Signal(syscall.SIGTERM)
	cmd.wait()
	again := v.command()
	again.Args = append([]string{"sh", "-c", `ulimit -n 64; exec "$0" "$@"`}, again.Args...)
	again.Path = "/bin/sh"
	limited := v.start(again)
	if !limited.endedWith(exitOK) {
		v.t.Errorf("with 64 descriptors: exit code %d:\n%s", limited.ProcessState.ExitCode(), limited.said.String())
	}
}

// awaitWorkers waits until the coordinator, which then holds the sweep, has workers, or is done.
func (v *victim) awaitWorkers(cmd *running) {
	for v.livingWorkers() == 0 {
		select {
		case <-cmd.ended:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// onTmpfs gives the sweep a root on a tmpfs of its own.
func onTmpfs(v *victim) {
	v.tmp = v.path("tmpfs")
	if err := os.Mkdir(v.tmp, 0o700); err != nil {
		v.t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", v.tmp, "tmpfs", 0, "size=1g"); err != nil {
		v.t.Skipf("SKIPPED: mount a tmpfs: %v", err)
	}
	v.root = filepath.Join(v.tmp, "runs")
	tmp := v.tmp
	v.t.Cleanup(func() { _ = unix.Unmount(tmp, unix.MNT_DETACH) })
}

func fillDisk(v *victim, _ *running) {
	v.remount("size", func(s unix.Statfs_t) uint64 {
		return max(1, s.Blocks-s.Bfree) * uint64(s.Bsize) // size=0 would be no limit
	})
}

func useInodes(v *victim, _ *running) {
	v.remount("nr_inodes", func(s unix.Statfs_t) uint64 { return max(1, s.Files-s.Ffree) })
}

// remount leaves nothing of a resource for a while.
func (v *victim) remount(resource string, used func(unix.Statfs_t) uint64) {
	v.t.Helper()
	var stat unix.Statfs_t
	set := func(amount uint64) error {
		return unix.Mount("", v.tmp, "", unix.MS_REMOUNT, fmt.Sprintf("%s=%d", resource, amount))
	}
	var err error
	for range 50 { // more may be used by the time it is set
		if err = unix.Statfs(v.tmp, &stat); err == nil {
			err = set(used(stat))
		}
		if err == nil {
			break
		}
	}
	if err != nil {
		v.t.Errorf("remount: %v", err)
	}
	v.aWhile()
	if err := set(1 << 30); err != nil {
		v.t.Error(err)
	}
}

// onDisk gives the sweep a root on a disk that fails when told to. This process must not use it while it starts others.
func onDisk(v *victim) {
	dir := v.path("disk")
	if err := os.Mkdir(dir, 0o700); err != nil {
		v.t.Fatal(err)
	}
	disk, err := disktest.Mount(dir)
	if err != nil {
		v.t.Skipf("SKIPPED: %v", err)
	}
	v.disk, v.root = disk, filepath.Join(dir, "runs")
	v.aside = func() ([]trial.AttemptID, string) {
		working, root := openLogs(v.t, v.root), v.path("copy")
		if err := errors.Join(os.RemoveAll(root), disk.Image().Restore(root, disktest.LoseNothing, 0)); err != nil {
			v.t.Fatal(err)
		}
		return working, filepath.Join(root, "runs")
	}
	v.t.Cleanup(func() {
		endAll(v.t, v.path("disk"))
		_ = disk.Unmount()
	})
}

// failing has some operations fail for a while: all of them, or each fourth.
func failing(number syscall.Errno, ops ...disktest.Op) func(*victim, *running) {
	return func(v *victim, _ *running) {
		every, asked := 1+3*v.random.IntN(2), 0
		v.disk.Fail(func(op disktest.Op, _ string) syscall.Errno {
			for _, failing := range ops {
				if asked++; op == failing && asked%every == 0 {
					return number
				}
			}
			return 0
		})
		v.aWhile()
		v.disk.Fail(nil)
	}
}

// endAll kills what works on a folder, which it finds without using that.
func endAll(t *testing.T, dir string) {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range lines {
		line, err := os.ReadFile(path)
		pid, numberErr := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err == nil && numberErr == nil && bytes.Contains(line, []byte(dir)) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	time.Sleep(50 * time.Millisecond) // the kernel closes what they had open
}

// openLogs returns the attempts below a folder whose event log some process has open, which it finds without using that.
func openLogs(t *testing.T, dir string) (attempts []trial.AttemptID) {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		file, err := os.Readlink(link)
		if err == nil && strings.HasPrefix(file, dir) && filepath.Base(file) == trial.EventsFile {
			attempts = append(attempts, attemptOf(filepath.Dir(file)))
		}
	}
	return attempts
}

// TestDeathsAtSystemCalls kills the sweep's processes at the n-th call of a kind, by strace. Where every worker dies before it has got
// anywhere, the coordinator rests longer and longer between them: after a minute all are killed.
func TestDeathsAtSystemCalls(t *testing.T) {
	t.Parallel()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skipf("SKIPPED, this needs strace (apt-get install strace): %v", err)
	}
	seed := seedOf(t)
	whole := newTestSweep(t, backend.PlatformGo, 10)
	whole.finish()
	want := whole.proof()
	for i, call := range []string{
		"fsync", "fdatasync", "renameat", "unlinkat", "pwrite64", "ftruncate", "mkdirat", "flock", "write", "openat",
	} {
		rounds := rounds(t, i, seed)
		if rounds == 0 {
			continue
		}
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			for range rounds {
				s := newTestSweep(t, backend.PlatformGo, 10)
				nth := 1 + int(random.ExpFloat64()*8)
				cmd := s.command()
				cmd.Args = append([]string{
					strace, "-f", "--seccomp-bpf", "-qqq", "-o", "/dev/null", "-e", "trace=" + call, "-e",
					fmt.Sprintf("inject=%s:signal=SIGKILL:when=%d", call, nth), cmd.Path,
				}, cmd.Args[1:]...)
				cmd.Path = strace
				s.stint(random, 0, s.start(cmd), func(run *running) {
					select {
					case <-run.ended:
					case <-time.After(time.Minute):
						endAll(t, s.rootDir())
						run.wait()
					}
				})
				s.finish()
				s.mustEqual(want, fmt.Sprintf("killed at call %d of %s", nth, call))
				s.mustHoldEveryEvent()
				s.discard()
			}
		})
	}
}
