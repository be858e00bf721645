package backend

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFindPlugins(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	write(t, a, "pjrt_c_api_cpu_plugin.so", "not a library: finding must not load it")
	write(t, b, "pjrt_c_api_cpu_plugin.so", "")
	write(t, b, "pjrt_c_api_cpu_v0.114.0_plugin.so", "")
	write(t, b, "pjrt-plugin-cuda.so", "")
	write(t, b, ".pjrt_c_api_tpu_plugin.so", "")
	write(t, b, "pjrt_c_api_cpu_plugin.so.tmp", "")
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", ":"+a+":/nowhere:"+b)
	want := map[string]string{
		"cpu":          filepath.Join(a, "pjrt_c_api_cpu_plugin.so"),
		"cpu_v0.114.0": filepath.Join(b, "pjrt_c_api_cpu_v0.114.0_plugin.so"),
		"cuda":         filepath.Join(b, "pjrt-plugin-cuda.so"),
	}
	if diff := cmp.Diff(want, findPlugins()); diff != "" {
		t.Errorf("findPlugins (-want +got):\n%s", diff)
	}
	if dir, err := defaultDir(); err != nil || dir != a {
		t.Errorf("defaultDir = %q, %v, want %q", dir, err, a)
	}
}

func TestDefaultDirOfTheUser(t *testing.T) {
	home := t.TempDir()
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", "")
	t.Setenv("HOME", home)
	if dir, err := defaultDir(); err != nil || filepath.Base(dir) != "go-xla" || !strings.HasPrefix(dir, home) {
		t.Errorf("defaultDir = %q, %v, want lib/go-xla below %q", dir, err, home)
	}
}

// TestFindPluginsOfPython looks into environments as pip and conda lay them out, without running a Python.
func TestFindPluginsOfPython(t *testing.T) {
	home, venv, conda, bin := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	unset := func() { // t.Setenv restores it
		t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", "")
		if err := os.Unsetenv("PJRT_PLUGIN_LIBRARY_PATH"); err != nil {
			t.Fatal(err)
		}
	}
	unset()
	t.Setenv("HOME", home)
	t.Setenv("VIRTUAL_ENV", "")
	t.Setenv("CONDA_PREFIX", "")
	t.Setenv("PATH", filepath.Join(bin, "bin"))
	user := filepath.Join(home, ".local/lib/python3.9/site-packages/jax_plugins/xla_cuda12/xla_cuda_plugin.so")
	inConda := filepath.Join(conda, "lib/python3.12/site-packages/jax_plugins/xla_cuda12/xla_cuda_plugin.so")
	inVenv := filepath.Join(venv, "lib/python3.13/site-packages/jax_plugins/xla_cuda13/xla_cuda_plugin.so")
	onPath := filepath.Join(bin, "local/lib/python3.11/dist-packages/jax_plugins/xla_cuda13/xla_cuda_plugin.so")
	own := filepath.Join(home, ".local/lib/go-xla", pinnedCUDA().name, pinnedCUDA().plugin)
	for _, file := range []string{user, inConda, inVenv, onPath, own} {
		write(t, filepath.Dir(file), filepath.Base(file), "")
	}
	write(t, bin, "bin/python3", "#!/bin/false\n")
	if err := os.Chmod(filepath.Join(bin, "bin/python3"), 0o755); err != nil {
		t.Fatal(err)
	}
	check := func(what, python string) {
		t.Helper()
		want := []string{own, python}
		if diff := cmp.Diff(want, resolver{find: findPlugins}.named("cuda")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	check("python3 on PATH", onPath)
	t.Setenv("CONDA_PREFIX", conda)
	check("conda", inConda)
	t.Setenv("VIRTUAL_ENV", venv)
	check("a virtual environment", inVenv)
	t.Setenv("VIRTUAL_ENV", "")
	t.Setenv("CONDA_PREFIX", "")
	t.Setenv("PATH", "")
	check("the user's own packages", user)
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", venv)
	if found := findPlugins(); len(found) != 0 {
		t.Errorf("findPlugins where folders are given = %v, want theirs alone", found)
	}
}
