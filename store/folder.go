package store

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// CheckFolder fails if dir, which must exist, lies where Open would refuse to keep a database: on a network file system.
// It writes nothing.
func CheckFolder(dir string) error { return refuseNetwork(dir) }

// FileSystem returns the type of the file system that dir is on, e.g. "ext4" or "fuse.sshfs", from the kernel's mount table (Linux);
// "" if no mount holds dir. For these lines alone prometheus/procfs does not pay (experiments/LOG.md, 2026-11-28).
func FileSystem(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", err
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", fmt.Errorf("read the mount table: %w", err)
	}
	dir = strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`, `\`, `\134`).Replace(dir) // as the table writes it
	best, kind := "", ""
	for line := range strings.Lines(string(mounts)) {
		// proc(5): id parent major:minor root mountpoint options [tags] - type source options
		before, after, _ := strings.Cut(line, " - ")
		fields := strings.Fields(before)
		if len(fields) < 5 {
			continue
		}
		point := strings.TrimSuffix(fields[4], "/")
		if strings.HasPrefix(dir+"/", point+"/") && len(point) >= len(best) { // of mounts on one point the last is seen
			best = point
			kind, _, _ = strings.Cut(after, " ")
		}
	}
	return kind, nil
}
