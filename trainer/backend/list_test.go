package backend

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestList(t *testing.T) {
	t.Parallel()
	r := fakeMachine(t, false, map[string]string{"cuda": "cuda", "cpu": "", "cpu_v1.2.3": "cpu"})
	type line struct {
		Platform string
		Works    bool
	}
	var got []line
	for _, c := range r.list(t.Context()) {
		got = append(got, line{c.Platform, c.Error == ""})
	}
	want := []line{{PlatformCUDA, false}, {PlatformCPU, false}, {PlatformCPU, true}, {PlatformGo, true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	if with := fakeMachine(t, true, nil).list(t.Context()); len(with) != 2 || with[0].Platform != PlatformCUDA || with[0].Fix == "" {
		t.Errorf("list with a GPU and no plug-in = %+v, want the GPU and its fix first", with)
	}
}
