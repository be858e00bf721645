//go:build !linux

package local

import (
	"os/exec"
	"runtime"
)

// startPinned starts cmd; this system lets no process be pinned to cores.
func startPinned(cmd *exec.Cmd, _ []int) error { return cmd.Start() }

// Cores lists the machine's cores.
func Cores() []int { return firstCores(runtime.NumCPU()) }
