package backend

import (
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
