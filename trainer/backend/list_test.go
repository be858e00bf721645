package backend

import (
	"path/filepath"
	"strings"
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
	if l := r.list(t.Context())[0].Libraries; l == nil || l.Folder != "" {
		t.Errorf("libraries of the CUDA plug-in = %+v, want that it has none beside it", l)
	}
	if with := fakeMachine(t, true, nil).list(t.Context()); len(with) != 2 || with[0].Platform != PlatformCUDA || with[0].Fix == "" {
		t.Errorf("list with a GPU and no plug-in = %+v, want the GPU and its fix first", with)
	}
}

// TestListOffersPip has an environment with PyTorch's libraries of NVIDIA, and no plug-in.
func TestListOffersPip(t *testing.T) {
	venv := t.TempDir()
	t.Setenv("VIRTUAL_ENV", venv)
	site := filepath.Join(venv, "lib/python3.12/site-packages")
	r := fakeMachine(t, true, nil)
	write(t, site, "nvidia/cublas/lib/libcublas.so.12", "")
	if fix := r.list(t.Context())[0].Fix; strings.Contains(fix, "pip") {
		t.Errorf("fix = %q, though most libraries are missing", fix)
	}
	for _, file := range librariesIn(filepath.Join(site, "nvidia"), 12).missing {
		write(t, site, filepath.Join("nvidia", file), "")
	}
	fix := r.list(t.Context())[0].Fix
	if !strings.Contains(fix, "sweep backend install --platform cuda") || !strings.HasSuffix(fix, "pip install jax-cuda12-pjrt") {
		t.Errorf("fix = %q, want both ways", fix)
	}
}
