package disktest

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ownVariable says that the process has mount namespaces of its own.
const ownVariable = "SWEEP_TEST_OWN_MOUNTS"

// Own reports whether the test runs in a mount namespace of its own, where what it mounts is seen by what it starts and is gone with
// them. Where it does not, Own runs it there, with this environment more, and returns false: the test then has nothing left to do. It
// is skipped where nothing can be mounted.
func Own(t *testing.T, env ...string) bool {
	t.Helper()
	if os.Getenv(ownVariable) != "" {
		return true
	}
	if err := unix.Access("/dev/fuse", unix.R_OK|unix.W_OK); err != nil || os.Geteuid() != 0 {
		t.Skipf("SKIPPED, this needs root and /dev/fuse: %v", err)
	}
	args := []string{"-test.v", "-test.run=^" + regexp.QuoteMeta(t.Name()) + "$"}
	if end, ok := t.Deadline(); ok {
		args = append(args, "-test.timeout="+time.Until(end).String())
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(append(os.Environ(), ownVariable+"=1"), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	switch exit := (*exec.ExitError)(nil); {
	case err != nil && !errors.As(err, &exit):
		t.Skipf("SKIPPED, no mount namespace is to be had: %v", err)
	case err != nil:
		t.Errorf("in its own mount namespace: %v\n%s", err, out)
	case bytes.Contains(out, []byte("--- SKIP")):
		t.Skipf("%s", out)
	default:
		t.Logf("in its own mount namespace:\n%s", out)
	}
	return false
}
