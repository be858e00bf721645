package backend

import (
	"slices"
	"testing"
)

func TestEnvironmentAsksForHugePages(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ environ, want []string }{
		{[]string{"A=1"}, []string{"A=1", "GLIBC_TUNABLES=glibc.malloc.hugetlb=1"}},
		{[]string{"GLIBC_TUNABLES="}, []string{"GLIBC_TUNABLES=glibc.malloc.hugetlb=1"}},
		{
			[]string{"GLIBC_TUNABLES=glibc.malloc.arena_max=1", "A=1"},
			[]string{"A=1", "GLIBC_TUNABLES=glibc.malloc.arena_max=1:glibc.malloc.hugetlb=1"},
		},
		{[]string{"GLIBC_TUNABLES=glibc.malloc.hugetlb=0"}, []string{"GLIBC_TUNABLES=glibc.malloc.hugetlb=0"}},
	} {
		if got := Environment(test.environ); !slices.Equal(got, test.want) {
			t.Errorf("Environment(%q) = %q, want %q", test.environ, got, test.want)
		}
	}
}
