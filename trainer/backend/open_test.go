package backend

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/trainer/backend/backendtest"
)

// requireCPU returns the machine's CPU plug-in, or skips loudly.
func requireCPU(t *testing.T) Choice {
	t.Helper()
	c, err := Resolve(t.Context(), PlatformCPU)
	if err != nil {
		t.Skipf("SKIPPED, needs the XLA CPU plug-in: %v", err)
	}
	return c
}

func TestOpenComputes(t *testing.T) {
	t.Parallel()
	for _, platform := range []string{PlatformGo, PlatformCPU} {
		t.Run(platform, func(t *testing.T) {
			t.Parallel()
			c := Choice{Platform: PlatformGo}
			if platform == PlatformCPU {
				c = requireCPU(t)
			}
			be, err := Open(c.Platform, c.PluginPath, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer be.Finalize()
			if err := onePlusOne(be); err != nil {
				t.Error(err)
			}
			if n, source, ok := PeakDeviceBytes(be); ok {
				t.Errorf("PeakDeviceBytes on %s = %d (%s), want not ok: its memory is the host's", platform, n, source)
			}
		})
	}
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		platform, path string
		device         int
		want           string
	}{
		{PlatformCPU, "", 0, "no plug-in path"},
		{PlatformCPU, "/nowhere.so", 0, "/nowhere.so"},
		{PlatformGo, "", -1, "device -1"},
		{"auto", "", 0, "unknown platform"},
	}
	for _, test := range tests {
		if _, err := Open(test.platform, test.path, test.device); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Open(%q, %q, %d): %v, want an error with %q", test.platform, test.path, test.device, err, test.want)
		}
	}
}

func TestProbeOfAFileThatIsNoPlugin(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pjrt_c_api_cpu_plugin.so")
	if err := os.WriteFile(path, []byte("not a library"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Resolve(t.Context(), path); err == nil || !strings.Contains(err.Error(), "does not work") {
		t.Errorf("Resolve(%s): %v, want an error that says it does not work", path, err)
	}
}

// TestProbeOfALibraryThatAborts shows why plug-ins are tried in a child process.
func TestProbeOfALibraryThatAborts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "pjrt_c_api_cpu_plugin.so")
	write(t, dir, "abort.c", "#include <stdlib.h>\n__attribute__((constructor)) static void die(void) { abort(); }\n")
	if out, err := exec.Command("cc", "-shared", "-fPIC", "-o", path, filepath.Join(dir, "abort.c")).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED, needs a C compiler called cc: %v\n%s", err, out)
	}
	if _, err := Resolve(t.Context(), path); err == nil || !strings.Contains(err.Error(), "ended the process") {
		t.Errorf("Resolve(%s): %v, want an error that says how it died", path, err)
	}
}

func TestProbeCache(t *testing.T) {
	t.Parallel()
	plugin := filepath.Join(t.TempDir(), "plugin.so")
	if err := os.WriteFile(plugin, []byte("one"), 0o644); err != nil {
		t.Fatal(err)
	}
	cache := probeCache(filepath.Join(t.TempDir(), "deep", "cache"))
	if p, ok := cache.load(plugin); ok {
		t.Fatalf("load from an empty cache = %+v", p)
	}
	want := probeResult{Platform: "cpu", SHA256: strings.Repeat("0", 64)}
	cache.save(plugin, want)
	if p, ok := cache.load(plugin); !ok || p.Platform != "cpu" {
		t.Errorf("load = %+v, %v, want %+v", p, ok, want)
	}
	if err := os.WriteFile(plugin, []byte("other"), 0o644); err != nil {
		t.Fatal(err)
	}
	if p, ok := cache.load(plugin); ok {
		t.Errorf("load after the file changed = %+v, want none", p)
	}
	if p, ok := probeCache("").load(plugin); ok {
		t.Errorf("load without a cache = %+v", p)
	}
}

// TestPJRTLayout lets a compiler compare what device.go declares with the header that go-xla ships.
func TestPJRTLayout(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("device.go")
	if err != nil {
		t.Fatal(err)
	}
	_, declared, _ := strings.Cut(string(source), "/*")
	declared, _, _ = strings.Cut(declared, "*/\nimport \"C\"")
	backendtest.CheckPJRT(t, declared+`
#include <pjrt_c_api.h>
#define SAME(a, b) _Static_assert((a) == (b), #a)
SAME(headerBytes + errorDestroy * sizeof(void *), offsetof(PJRT_Api, PJRT_Error_Destroy));
SAME(headerBytes + deviceMemoryStats * sizeof(void *), offsetof(PJRT_Api, PJRT_Device_MemoryStats));
SAME(sizeof(destroyArgs), PJRT_Error_Destroy_Args_STRUCT_SIZE);
SAME(sizeofMemoryStats, PJRT_Device_MemoryStats_Args_STRUCT_SIZE);
SAME(offsetof(memoryStatsArgs, peak_bytes_in_use), offsetof(PJRT_Device_MemoryStats_Args, peak_bytes_in_use));
SAME(offsetof(memoryStatsArgs, peak_bytes_in_use_is_set), offsetof(PJRT_Device_MemoryStats_Args, peak_bytes_in_use_is_set));
SAME(offsetof(memoryStatsArgs, bytes_limit), offsetof(PJRT_Device_MemoryStats_Args, bytes_limit));
SAME(offsetof(memoryStatsArgs, bytes_limit_is_set), offsetof(PJRT_Device_MemoryStats_Args, bytes_limit_is_set));
`)
}
