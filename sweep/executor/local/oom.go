package local

import (
	"bufio"
	"os"
	"strconv"
	"strings"
)

// oomKills counts the processes that were killed for want of memory: by the kernel since boot (/proc/vmstat, Linux 4.13 and later) and in
// this process's control group (memory.events, cgroup v2), where a container sees no more. It tells only that the count grows.
func oomKills() int64 {
	return countIn("/proc/vmstat", "oom_kill ") + countIn("/sys/fs/cgroup/memory.events", "oom_kill ")
}

// countIn is the number behind a name in a file of the kernel; 0 where there is none.
func countIn(path, name string) int64 {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close() //nolint:errcheck // read only
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if count, ok := strings.CutPrefix(lines.Text(), name); ok {
			n, err := strconv.ParseInt(count, 10, 64)
			if err != nil {
				return 0
			}
			return n
		}
	}
	return 0
}

func firstCores(n int) []int {
	cores := make([]int, n)
	for i := range cores {
		cores[i] = i
	}
	return cores
}
