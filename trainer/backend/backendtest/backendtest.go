package backendtest

import (
	"runtime/debug"
	"strings"
	"testing"
)

// NeedPureGo skips a test of the pure-Go backend where it cannot run: the race detector brings a check of pointer arithmetic
// with it that ends the whole process in the matrix products of gomlx/compute v0.1.6. Their addresses are right, but they
// are kept as integers.
func NeedPureGo(t testing.TB) {
	t.Helper()
	if checksPointers() {
		t.Skip("SKIPPED: -race checks pointer arithmetic, which the pure-Go backend's matrix products (compute v0.1.6) do not pass;" +
			" go test -race -gcflags=all=-d=checkptr=0 runs this too")
	}
}

// checksPointers reports whether this test was built with -race and without -gcflags=all=-d=checkptr=0.
func checksPointers() bool {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return false
	}
	race, unchecked := false, false
	for _, s := range info.Settings {
		race = race || s.Key == "-race" && s.Value == "true"
		unchecked = unchecked || s.Key == "-gcflags" && strings.Contains(s.Value, "checkptr=0")
	}
	return race && !unchecked
}
