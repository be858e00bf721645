package backend

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
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

// TestPJRTPositions compares the two function positions of device.go with the header that go-xla ships.
func TestPJRTPositions(t *testing.T) {
	t.Parallel()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/gomlx/go-xla").Output()
	if err != nil {
		t.Skipf("SKIPPED, needs the go command: %v", err)
	}
	header, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "pjrt", "pjrt_c_api.h"))
	if err != nil {
		t.Fatal(err)
	}
	_, api, found := strings.Cut(string(header), "typedef struct PJRT_Api {")
	if !found {
		t.Fatal("the header defines no PJRT_Api")
	}
	var names []string
	for _, m := range regexp.MustCompile(`_PJRT_API_STRUCT_FIELD\((\w+)\)`).FindAllStringSubmatch(api, -1) {
		names = append(names, m[1])
	}
	source, err := os.ReadFile("device.go")
	if err != nil {
		t.Fatal(err)
	}
	if slices.Index(names, "PJRT_Error_Destroy") != 0 || slices.Index(names, "PJRT_Device_MemoryStats") != 34 ||
		!strings.Contains(string(source), "errorDestroy = 0, deviceMemoryStats = 34") {
		t.Errorf("PJRT_Error_Destroy, PJRT_Device_MemoryStats at %d, %d of the header's functions; device.go differs",
			slices.Index(names, "PJRT_Error_Destroy"), slices.Index(names, "PJRT_Device_MemoryStats"))
	}
}
