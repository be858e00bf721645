package backend

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// cgroup is the folder of a control group whose limits hold for this process.
type cgroup struct {
	dir     string
	unified bool // version 2
}

// cgroups lists this process's group of a controller with the groups above it, as far as they are mounted here: in a container
// the uppermost is often its own. Systems that have both versions list a controller in one of them only, and some sandboxes
// none at all.
func cgroups(root, controller string) ([]cgroup, error) {
	mounts, err := cgroupMounts(root)
	if err != nil {
		return nil, err
	}
	own, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read cgroups: %w", err)
	}
	var groups []cgroup
	for line := range strings.Lines(string(own)) { // id:controllers:path, without controllers in version 2
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		unified := parts[1] == ""
		if !unified && !slices.Contains(strings.Split(parts[1], ","), controller) {
			continue
		}
		for _, m := range mounts {
			if m.unified == unified && (unified || slices.Contains(m.options, controller)) {
				groups = append(groups, m.upwards(root, filepath.Clean("/"+parts[2]))...)
			}
		}
	}
	return groups, nil
}

// cgroupMount is where a hierarchy, or the part of it below a group, is mounted.
type cgroupMount struct {
	group, point string
	unified      bool
	options      []string // version 1: its controllers, among others
}

// cgroupMounts reads /proc/self/mountinfo (proc_pid_mountinfo(5)).
func cgroupMounts(root string) ([]cgroupMount, error) {
	text, err := os.ReadFile(filepath.Join(root, "proc/self/mountinfo"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read mounts: %w", err)
	}
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var mounts []cgroupMount
	for line := range strings.Lines(string(text)) {
		what, how, _ := strings.Cut(line, " - ")
		left, right := strings.Fields(what), strings.Fields(how)
		if len(left) < 5 || len(right) < 3 || right[0] != "cgroup" && right[0] != "cgroup2" {
			continue
		}
		mounts = append(mounts, cgroupMount{
			group: unescape.Replace(left[3]), point: unescape.Replace(left[4]), unified: right[0] == "cgroup2",
			options: strings.Split(right[2], ","),
		})
	}
	return mounts, nil
}

// upwards lists the folders from a group's up to the mounted one. A group that is not below that is another name for it: the
// container was not told that it has a part of the tree only.
func (m cgroupMount) upwards(root, group string) []cgroup {
	below, err := filepath.Rel(m.group, group)
	if err != nil || below == ".." || strings.HasPrefix(below, "../") {
		below = "."
	}
	var groups []cgroup
	for ; ; below = filepath.Dir(below) {
		groups = append(groups, cgroup{filepath.Join(root, m.point, below), m.unified})
		if below == "." {
			return groups
		}
	}
}

// memoryLimit is the bytes that the group's processes may use, 0 where it has no limit. Above memory.high the kernel slows a process
// down until it hardly moves, so that is the end of what it may use too. In version 1 memory.stat knows of groups above that are
// not mounted here.
func (g cgroup) memoryLimit() int64 {
	var limits []int64
	if g.unified {
		limits = []int64{g.number("memory.max"), g.number("memory.high")}
	} else {
		limits = []int64{g.number("memory.limit_in_bytes"), g.statistic("hierarchical_memory_limit")}
	}
	return smallest(limits)
}

// smallest returns the smallest positive number, 0 where there is none.
func smallest[T int64 | float64](numbers []T) T {
	var least T
	for _, n := range numbers {
		if n > 0 && (least == 0 || n < least) {
			least = n
		}
	}
	return least
}

// number reads a file that holds one; 0 is no number, such as max.
func (g cgroup) number(file string) int64 {
	text, err := os.ReadFile(filepath.Join(g.dir, file))
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// statistic reads a line of memory.stat.
func (g cgroup) statistic(name string) int64 {
	text, err := os.ReadFile(filepath.Join(g.dir, "memory.stat"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			if err != nil {
				return 0
			}
			return n
		}
	}
	return 0
}

// CPUQuota returns how many processors' time this process's cgroups allow, rounded up, 0 where they set no limit.
func CPUQuota() (int, error) { return cpuQuota("/") }

func cpuQuota(root string) (int, error) {
	groups, err := cgroups(root, "cpu")
	if err != nil {
		return 0, err
	}
	var quotas []float64
	for _, g := range groups {
		quotas = append(quotas, g.processors())
	}
	return int(math.Ceil(smallest(quotas))), nil
}

// processors is the time that the group's processes may use, by real time; 0 where it has no limit.
func (g cgroup) processors() float64 {
	quota, period := g.number("cpu.cfs_quota_us"), g.number("cpu.cfs_period_us")
	if g.unified {
		text, err := os.ReadFile(filepath.Join(g.dir, "cpu.max"))
		if err != nil {
			return 0
		}
		if n, err := fmt.Sscan(string(text), &quota, &period); err != nil || n != 2 {
			return 0 // max 100000
		}
	}
	if quota <= 0 || period <= 0 {
		return 0
	}
	return float64(quota) / float64(period)
}
