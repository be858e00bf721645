package backend

import "testing"

// What /proc/self/mountinfo says of cgroups: with version 2 alone; with version 1, as old and hybrid systems have it; inside a
// container of Docker without and with a cgroup namespace.
const (
	unifiedMount = "35 24 0:28 / /sys/fs/cgroup rw,nosuid,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n"
	hybridMounts = "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n" +
		"32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n" +
		"35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n" +
		"41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
	dockerMounts = "1130 1126 0:29 /docker/1f2e /sys/fs/cgroup/cpu,cpuacct ro,nosuid master:13 - cgroup cgroup rw,cpu,cpuacct\n" +
		"1133 1126 0:32 /docker/1f2e /sys/fs/cgroup/memory ro,nosuid master:16 - cgroup cgroup rw,memory\n"
	dockerUnifiedMount = "1712 1711 0:28 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw\n"
	unlimited          = "9223372036854771712\n" // of version 1
)

func TestHostMemory(t *testing.T) {
	t.Parallel()
	const ram = 8 << 30
	tests := map[string]struct {
		own, mounts string
		files       map[string]string // below sys/fs/cgroup
		want        int64
	}{
		"no cgroups": {want: ram},
		"version 2 without a limit": {
			"0::/a/b\n", unifiedMount, map[string]string{"a/b/memory.max": "max\n", "a/b/memory.high": "max\n"}, ram,
		},
		"version 2, own limit": {"0::/a/b\n", unifiedMount, map[string]string{"a/b/memory.max": "1073741824\n"}, 1 << 30},
		"version 2, a parent's limit": {"0::/a/b\n", unifiedMount, map[string]string{
			"a/b/memory.max": "4294967296\n", "a/memory.max": "2147483648\n",
		}, 2 << 30},
		"version 2, throttled above high": {"0::/user.slice/job\n", unifiedMount, map[string]string{
			"user.slice/job/memory.max": "4294967296\n", "user.slice/job/memory.high": "3221225472\n",
		}, 3 << 30},
		"version 2, a parent's high": {"0::/user.slice/job\n", unifiedMount, map[string]string{
			"user.slice/job/memory.max": "4294967296\n", "user.slice/memory.high": "1073741824\n",
		}, 1 << 30},
		"version 2, a container with a namespace": {"0::/\n", dockerUnifiedMount, map[string]string{"memory.max": "1073741824\n"}, 1 << 30},
		"version 2, a container without one": {
			"0::/system.slice/docker-1f2e.scope\n", dockerUnifiedMount, map[string]string{"memory.max": "1073741824\n"}, 1 << 30,
		},
		"version 2, a group outside its namespace": {
			"0::/../other\n", dockerUnifiedMount, map[string]string{"memory.max": "1073741824\n"}, 1 << 30,
		},
		"limit above the RAM":                 {"0::/\n", unifiedMount, map[string]string{"memory.max": "1099511627776\n"}, ram},
		"a limit of nothing is none to go by": {"0::/\n", unifiedMount, map[string]string{"memory.max": "0\n"}, ram},
		"version 1": {"9:cpu,cpuacct:/x\n4:memory:/lxc/1\n", hybridMounts, map[string]string{
			"memory/memory.limit_in_bytes":       unlimited,
			"memory/lxc/1/memory.limit_in_bytes": "1073741824\n",
		}, 1 << 30},
		"version 1, a parent's limit": {"4:memory:/slurm/uid_0/job_7\n", hybridMounts, map[string]string{
			"memory/slurm/uid_0/job_7/memory.limit_in_bytes": unlimited,
			"memory/slurm/uid_0/memory.limit_in_bytes":       "2147483648\n",
		}, 2 << 30},
		"version 1, a container sees its own group": {"4:memory:/docker/1f2e\n", dockerMounts, map[string]string{
			"memory/memory.limit_in_bytes": "1073741824\n",
		}, 1 << 30},
		"version 1, a group inside a container": {"4:memory:/docker/1f2e/job\n", dockerMounts, map[string]string{
			"memory/memory.limit_in_bytes":     "2147483648\n",
			"memory/job/memory.limit_in_bytes": "1073741824\n",
		}, 1 << 30},
		"version 1, a limit above what is mounted": {"4:memory:/kubepods/1f2e\n", dockerMounts, map[string]string{
			"memory/memory.limit_in_bytes": unlimited,
			"memory/memory.stat":           "cache 0\nhierarchical_memory_limit 3221225472\ntotal_rss 1\n",
		}, 3 << 30},
		"hybrid, a mixed list": {"4:hugetlb,memory:/a\n0::/a\n", hybridMounts, map[string]string{
			"memory/a/memory.limit_in_bytes": "1073741824\n", "unified/a/memory.max": "max\n",
		}, 1 << 30},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := recorded(t, test.own, test.mounts, test.files)
			write(t, root, "proc/meminfo", "MemFree: 1 kB\nMemTotal:        8388608 kB\n")
			if got, err := hostMemory(root); err != nil || got != test.want {
				t.Errorf("hostMemory = %d, %v, want %d", got, err, test.want)
			}
		})
	}
}

// recorded is a root with what was recorded of /proc/self and /sys/fs/cgroup.
func recorded(t *testing.T, own, mounts string, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	if own != "" {
		write(t, root, "proc/self/cgroup", own)
		write(t, root, "proc/self/mountinfo", mounts)
	}
	for name, text := range files {
		write(t, root, "sys/fs/cgroup/"+name, text)
	}
	return root
}

func TestHostMemoryWithoutProc(t *testing.T) {
	t.Parallel()
	if got, err := hostMemory(t.TempDir()); err == nil {
		t.Errorf("hostMemory without /proc = %d, want an error", got)
	}
}

func TestCPUQuota(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		own, mounts string
		files       map[string]string
		want        int
	}{
		"no cgroups":                {},
		"version 2":                 {"0::/\n", dockerUnifiedMount, map[string]string{"cpu.max": "200000 100000\n"}, 2},
		"version 2 without a limit": {"0::/\n", dockerUnifiedMount, map[string]string{"cpu.max": "max 100000\n"}, 0},
		"half a core is one":        {"0::/\n", dockerUnifiedMount, map[string]string{"cpu.max": "50000 100000\n"}, 1},
		"one and a half":            {"0::/\n", dockerUnifiedMount, map[string]string{"cpu.max": "150000 100000\n"}, 2},
		"a parent's": {"0::/a/b\n", unifiedMount, map[string]string{
			"a/b/cpu.max": "max 100000\n", "a/cpu.max": "400000 100000\n",
		}, 4},
		"version 1": {"9:cpu,cpuacct:/x\n", hybridMounts, map[string]string{
			"cpu,cpuacct/x/cpu.cfs_quota_us": "300000\n", "cpu,cpuacct/x/cpu.cfs_period_us": "100000\n",
		}, 3},
		"version 1 without a limit": {"9:cpu,cpuacct:/x\n", hybridMounts, map[string]string{
			"cpu,cpuacct/x/cpu.cfs_quota_us": "-1\n", "cpu,cpuacct/x/cpu.cfs_period_us": "100000\n",
		}, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := cpuQuota(recorded(t, test.own, test.mounts, test.files)); err != nil || got != test.want {
				t.Errorf("cpuQuota = %d, %v, want %d", got, err, test.want)
			}
		})
	}
}
