package backend

import "strings"

const (
	tunables  = "GLIBC_TUNABLES"
	hugePages = "glibc.malloc.hugetlb"
)

// Environment returns environ for a process that computes on the CPU: in it glibc's allocator asks for transparent huge pages
// (mode 1 of glibc.malloc.hugetlb, since glibc 2.35: madvise). XLA gets its temporaries from the kernel anew at every execution, and
// with pages of 4 KiB their page faults take a tenth of GPT-2 small's step. Whoever has set that tunable keeps it; other C
// libraries and older versions ignore it.
func Environment(environ []string) []string {
	out := make([]string, 0, len(environ)+1)
	var set string
	for _, variable := range environ {
		if value, ok := strings.CutPrefix(variable, tunables+"="); ok {
			set = value
			continue
		}
		out = append(out, variable)
	}
	if !strings.Contains(set, hugePages+"=") {
		set = strings.TrimPrefix(set+":"+hugePages+"=1", ":")
	}
	return append(out, tunables+"="+set)
}
