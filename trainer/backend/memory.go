package backend

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// PeakHostBytes returns the peak resident memory of this process: VmHWM, which the Linux kernel keeps.
func PeakHostBytes() (int64, error) {
	return kernelField("/proc/self/status", "VmHWM")
}

// ResetPeakHostBytes makes the peak what is resident now (proc_pid_clear_refs(5): 5, since Linux 4.0).
func ResetPeakHostBytes() error {
	return os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
}

// HostMemory returns the bytes of memory that this process may use at most: the machine's RAM, or the smallest limit of
// its cgroups if that is less.
func HostMemory() (int64, error) { return hostMemory("/") }

func hostMemory(root string) (int64, error) {
	limit, err := kernelField(filepath.Join(root, "proc/meminfo"), "MemTotal")
	if err != nil {
		return 0, err
	}
	groups, err := cgroups(root, "memory")
	if err != nil {
		return 0, err
	}
	for _, g := range groups {
		if n := g.memoryLimit(); n > 0 {
			limit = min(limit, n)
		}
	}
	return limit, nil
}

// kernelField reads a "Name:   123 kB" line of a file in /proc, in bytes. With prometheus/procfs this file would be as long, and
// a missing VmHWM would read as 0 (experiments/LOG.md, 2026-11-28).
func kernelField(path, name string) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", name, err)
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		rest, ok := strings.CutPrefix(lines.Text(), name+":")
		if !ok {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read %s in %s: %w", name, path, err)
		}
		return kib << 10, nil
	}
	if err := lines.Err(); err != nil {
		return 0, fmt.Errorf("read %s: %w", path, err)
	}
	return 0, fmt.Errorf("%s has no %s", path, name)
}
