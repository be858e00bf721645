package trainer_test

import (
	"errors"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/cmd/sweep/disktest"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/sweep/trial/cause"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// TestResumeFromUnreadableCheckpoints: where the disk cannot read the newest checkpoint the one before it takes over. Where it reads none
// nothing is trained anew: the disk may come back, and the attempt after that continues.
func TestResumeFromUnreadableCheckpoints(t *testing.T) {
	t.Parallel()
	a := assignRows(t, resolve(t, backend.PlatformGo), resumeSpec(), resumeRows)
	want, whole := uninterrupted(t, a)
	for name, hit := range map[string]int{"the newest": 1, "all": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			disk, err := disktest.Mount(dir)
			if err != nil {
				t.Skipf("SKIPPED, needs root and /dev/fuse: %v", err)
			}
			t.Cleanup(func() { must(t, disk.Unmount()) })
			killed := &recorder{limit: len(whole.events) - 1}
			if err := trainer.Run(t.Context(), a, dir, killed.emit); !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
			files, err := filepath.Glob(filepath.Join(dir, "checkpoints", "*"))
			must(t, err)
			if len(files) != 2 {
				t.Fatalf("checkpoints %v, want two", files)
			}
			var unreadable []string
			for _, file := range files[2-hit:] {
				unreadable = append(unreadable, filepath.Base(file))
			}
			disk.Fail(func(op disktest.Op, at string) syscall.Errno {
				if op == disktest.Read && slices.Contains(unreadable, path.Base(at)) {
					return syscall.EIO
				}
				return 0
			})
			if hit == 2 {
				rec := &recorder{}
				must(t, trainer.Run(t.Context(), a, dir, rec.emit))
				if o := rec.outcome(t); o.State != trial.OutcomeCrashed || o.Cause != cause.Disk || !strings.Contains(o.Error, "cannot be read") {
					t.Errorf("outcome %+v, want one that passes", o)
				}
				disk.Fail(nil)
			}
			rest := &recorder{}
			must(t, trainer.Run(t.Context(), a, dir, rest.emit))
			for _, e := range rest.events {
				if e.Kind == trial.EventResumed && e.Step == 0 {
					t.Error("it began anew")
				}
			}
			disk.Fail(nil)
			if diff := cmp.Diff(want, collect(t, dir, killed, rest)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
