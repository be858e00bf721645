//go:build race && linux

package model

import (
	"syscall"
	"testing"
)

// TestMain leaves the process without C's exit handlers. The race detector's own exit runs them, and those of the XLA
// plug-in (XLA of jaxlib 0.11.2) free something twice; without -race Go never calls them. Races have failed their tests by then.
func TestMain(m *testing.M) {
	_, _, _ = syscall.RawSyscall(syscall.SYS_EXIT_GROUP, uintptr(m.Run()), 0, 0)
}
