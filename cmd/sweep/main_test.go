package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestMain gives all commands a configuration folder of their own, and removes what sweepBinary built.
func TestMain(m *testing.M) {
	if os.Getenv(binaryVariable) != "" { // the test that it is a part of has done so
		os.Exit(m.Run())
	}
	config, err := os.MkdirTemp("", "sweep-config-")
	goEnv, goErr := exec.CommandContext(context.Background(), "go", "env", "GOENV").Output() // of go, which lies there, too
	if err = errors.Join(err, goErr); err == nil {
		err = errors.Join(os.Setenv("GOENV", strings.TrimSpace(string(goEnv))), os.Setenv("XDG_CONFIG_HOME", config))
	}
	if err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(config)
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// built is the real binary, compiled once for all tests that need its process.
var built struct { //nolint:gochecknoglobals // shared by the tests of one run
	once sync.Once
	dir  string
	err  error
}

// binaryVariable holds the path of the program where a test runs in a process of its own.
const binaryVariable = "SWEEP_TEST_BINARY"

// sweepBinary returns the path of the real program.
func sweepBinary(t *testing.T) string {
	t.Helper()
	if path := os.Getenv(binaryVariable); path != "" {
		return path
	}
	built.once.Do(func() {
		built.dir, built.err = os.MkdirTemp("", "sweep-test-") //nolint:usetesting // it outlives the test that builds it
		if built.err != nil {
			return
		}
		cmd := exec.CommandContext(context.Background(), "go", "build", "-o", filepath.Join(built.dir, "sweep"), ".")
		cmd.Stderr = os.Stderr
		built.err = cmd.Run()
	})
	if built.err != nil {
		t.Fatalf("build the program: %v", built.err)
	}
	return filepath.Join(built.dir, "sweep")
}
