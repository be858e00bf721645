package backend

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestHostMemory(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"no cgroups", nil, 8 << 30},
		{"version 2 without a limit", map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max\n"}, 8 << 30},
		{"version 2, own limit", map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "1073741824\n"}, 1 << 30},
		{"version 2, parent's limit", map[string]string{
			"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "4294967296\n", "sys/fs/cgroup/a/memory.max": "2147483648\n",
		}, 2 << 30},
		{"version 2, container's own root", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "1073741824\n"}, 1 << 30},
		{"limit above the RAM", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "1099511627776\n"}, 8 << 30},
		{"version 1", map[string]string{
			"proc/self/cgroup":                                    "9:cpu:/x\n4:memory:/docker/1\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":          "9223372036854771712\n",
			"sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes": "1073741824\n",
		}, 1 << 30},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			write(t, root, "proc/meminfo", "MemFree: 1 kB\nMemTotal:        8388608 kB\n")
			for name, text := range test.files {
				write(t, root, name, text)
			}
			if got, err := hostMemory(root); err != nil || got != test.want {
				t.Errorf("hostMemory = %d, %v, want %d", got, err, test.want)
			}
		})
	}
}

func TestHostMemoryWithoutProc(t *testing.T) {
	t.Parallel()
	if got, err := hostMemory(t.TempDir()); err == nil {
		t.Errorf("hostMemory without /proc = %d, want an error", got)
	}
}

func TestPeakHostBytesGrows(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("VmHWM is Linux's")
	}
	before, err := PeakHostBytes()
	if err != nil {
		t.Fatal(err)
	}
	const block = 64 << 20
	b := make([]byte, block)
	for i := 0; i < block; i += 4096 {
		b[i] = 1
	}
	after, err := PeakHostBytes()
	if err != nil || after < block || after < before {
		t.Errorf("PeakHostBytes = %d after touching %d bytes (before: %d), %v", after, block, before, err)
	}
	runtime.KeepAlive(b)
}

func write(t *testing.T, root, name, text string) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
