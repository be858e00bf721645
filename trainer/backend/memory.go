package backend

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
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
	groups, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	if errors.Is(err, fs.ErrNotExist) {
		return limit, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read cgroups: %w", err)
	}
	for line := range strings.Lines(string(groups)) {
		dir, file, ok := memoryController(strings.TrimSpace(line))
		if !ok {
			continue
		}
		for ; ; dir = filepath.Dir(dir) {
			b, err := os.ReadFile(filepath.Join(root, "sys/fs/cgroup", dir, file))
			if n, bad := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil && bad == nil && n > 0 {
				limit = min(limit, n)
			}
			if dir == "." || dir == "/" || dir == "memory" {
				break
			}
		}
	}
	return limit, nil
}

// memoryController reads one line of /proc/self/cgroup, "id:controllers:path": where below /sys/fs/cgroup the group's
// memory limit is given in version 2 ("0::/a/b") and in version 1 ("9:memory:/a/b").
func memoryController(line string) (dir, file string, ok bool) {
	parts := strings.SplitN(line, ":", 3)
	if len(parts) != 3 {
		return "", "", false
	}
	path := filepath.Clean("/" + parts[2])
	switch parts[1] {
	case "":
		return path, "memory.max", true
	case "memory":
		return filepath.Join("memory", path), "memory.limit_in_bytes", true
	default:
		return "", "", false
	}
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
