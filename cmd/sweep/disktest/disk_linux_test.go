package disktest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestWhatWasNotSyncedIsLost works on a mounted disk with a shell, cuts the power, and reads what is left.
func TestWhatWasNotSyncedIsLost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, script, want string }{
		{"neither name nor bytes are synced", `printf abc > a`, ""},
		{"the bytes alone", `printf abc > a; sync a`, ""},
		{"the name alone", `printf abc > a; sync .`, "a="},
		{"both", `printf abc > a; sync a .`, "a=abc"},
		{"a later write", `printf abc > a; sync a .; printf d >> a`, "a=abc"},
		{"a later write, synced", `printf abc > a; sync a .; printf d >> a; sync -d a`, "a=abcd"},
		{"a truncation", `printf abc > a; sync a .; : > a`, "a=abc"},
		{"a removal", `printf abc > a; sync a .; rm a`, "a=abc"},
		{"a removal, synced", `printf abc > a; sync a .; rm a; sync .`, ""},
		{"a rename", `printf new > t; sync t; printf old > a; sync a .; mv t a`, "a=old t=new"},
		{"a rename, synced", `printf new > t; sync t; printf old > a; sync a .; mv t a; sync .`, "a=new"},
		{"a folder whose name is not synced", `mkdir d; printf abc > d/a; sync d/a d`, ""},
		{"a folder whose name is", `mkdir d; printf abc > d/a; sync d/a d .`, "d/a=abc"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if !Own(t) {
				return
			}
			dir, disk := mounted(t)
			shell(t, dir, c.script)
			if got := left(t, disk, LoseAll, 1); got != c.want {
				t.Errorf("after %s a cut leaves %q, want %q", c.script, got, c.want)
			}
		})
	}
}

// TestPartsOfWhatWasNotSyncedAreKept looks for every state that a torn write may leave.
func TestPartsOfWhatWasNotSyncedAreKept(t *testing.T) {
	t.Parallel()
	if !Own(t) {
		return
	}
	dir, disk := mounted(t)
	shell(t, dir, `head -c 1024 /dev/zero | tr '\0' a > f; sync f .
		head -c 1024 /dev/zero | tr '\0' b | dd of=f bs=1024 conv=notrunc status=none`)
	old, half := strings.Repeat("a", 512), strings.Repeat("b", 512)
	for loss, want := range map[Loss][]string{
		KeepPrefix:    {old + old, half + old},
		KeepScattered: {old + old, half + old, old + half, half + half},
	} {
		seen := map[string]bool{}
		for seed := range uint64(50) {
			seen[strings.TrimPrefix(left(t, disk, loss, seed), "f=")] = true
		}
		for _, w := range want {
			if !seen[w] {
				t.Errorf("%v never leaves %.3s…%.3s…", loss, w, w[512:])
			}
		}
		if len(seen) != len(want) {
			t.Errorf("%v leaves %d states, want %d", loss, len(seen), len(want))
		}
	}
}

// TestTheDiskFailsAndFills asks for the errors that programs meet.
func TestTheDiskFailsAndFills(t *testing.T) {
	t.Parallel()
	if !Own(t) {
		return
	}
	dir, disk := mounted(t)
	path := filepath.Join(dir, "f")
	disk.SetCapacity(10)
	if err := os.WriteFile(path, make([]byte, 11), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("11 bytes onto a disk of 10: %v", err)
	}
	disk.SetCapacity(20)
	if err := os.WriteFile(path, make([]byte, 11), 0o600); err != nil {
		t.Errorf("11 bytes onto a disk of 20: %v", err)
	}
	disk.Fail(func(op Op, path string) syscall.Errno {
		if op == Sync && path == "f" {
			return syscall.EIO
		}
		return 0
	})
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // it was only synced
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Errorf("sync of a failing disk: %v", err)
	}
	if moved := left(t, disk, LoseAll, 1); moved != "" {
		t.Errorf("a sync that failed made %q durable", moved)
	}
}

func mounted(t *testing.T) (string, *Disk) {
	t.Helper()
	dir := t.TempDir()
	disk, err := Mount(dir)
	if err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	t.Cleanup(func() {
		if err := disk.Unmount(); err != nil {
			t.Error(err)
		}
	})
	return dir, disk
}

// shell runs a script in dir. It changes to dir by itself: a process that serves a disk must not.
func shell(t *testing.T, dir, script string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", "cd "+dir+"; "+script)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// left lists the files that a cut leaves.
func left(t *testing.T, disk *Disk, loss Loss, seed uint64) string {
	t.Helper()
	dir := t.TempDir()
	if err := disk.Image().Restore(dir, loss, seed); err != nil {
		t.Fatal(err)
	}
	var found []string
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		found = append(found, fmt.Sprintf("%s=%s", filepath.ToSlash(name), body))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(found, " ")
}
