package local

import (
	"bufio"
	"os"
	"strconv"
	"strings"
)

// oomKills returns how many processes the kernel has killed for want of memory since boot (/proc/vmstat, Linux 4.13 and
// later), 0 where that cannot be told. prometheus/procfs does not read that file.
func oomKills() int64 {
	f, err := os.Open("/proc/vmstat")
	if err != nil {
		return 0
	}
	defer f.Close() //nolint:errcheck // read only
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if count, ok := strings.CutPrefix(lines.Text(), "oom_kill "); ok {
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
