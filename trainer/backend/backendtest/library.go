package backendtest

import (
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

//go:embed testdata/*.c
var sources embed.FS

// Plugin compiles a stand-in for JAX's CUDA plug-in into a folder of Python packages, and for one of NVIDIA's libraries, as their wheels
// lay them. It loads on any machine, makes no client, and says with which options it was asked for one.
func Plugin(t testing.TB, site string) (plugin string) {
	t.Helper()
	write(t, filepath.Join(site, "nvidia/cu13/lib/blas.c"), "int blas;")
	compile(t, filepath.Join(site, "nvidia/cu13/lib/blas.c"), filepath.Join(site, "nvidia/cu13/lib/libcublas.so.13"))
	if err := os.Remove(filepath.Join(site, "nvidia/cu13/lib/blas.c")); err != nil {
		t.Fatal(err)
	}
	return compilePlugin(t, "refusing.c", site)
}

// GPU compiles a stand-in for JAX's CUDA plug-in that computes on the CPU with the plug-in at the path cpu. Programs need env, in which
// a driver is found, to use it.
func GPU(t testing.TB, cpu string) (plugin string, env []string) {
	t.Helper()
	driver := Driver(t, 0, 13000)
	return compilePlugin(t, "gpu.c", t.TempDir()), []string{"RANKSWEEP_TEST_CPU_PLUGIN=" + cpu, "LD_LIBRARY_PATH=" + filepath.Dir(driver)}
}

// Driver compiles a stand-in for NVIDIA's driver that starts with this status and has this CUDA version.
func Driver(t testing.TB, status, version int) (library string) {
	t.Helper()
	library = filepath.Join(t.TempDir(), "libcuda.so.1")
	compile(t, source(t, "driver.c"), library, fmt.Sprintf("-DSTATUS=%d", status), fmt.Sprintf("-DVERSION=%d", version))
	return library
}

// compilePlugin compiles a plug-in with the header of go-xla.
func compilePlugin(t testing.TB, name, site string) (plugin string) {
	t.Helper()
	plugin = filepath.Join(site, "jax_plugins/xla_cuda13/xla_cuda_plugin.so")
	compile(t, source(t, name), plugin, "-I"+headers(t))
	return plugin
}

// CheckPJRT compiles C text that includes the header of go-xla.
func CheckPJRT(t testing.TB, text string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "check.c")
	write(t, path, text)
	compile(t, path, path+".so", "-I"+headers(t))
}

// headers is the folder of go-xla's header.
func headers(t testing.TB) string {
	t.Helper()
	module, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/gomlx/go-xla").Output()
	if err != nil {
		t.Skipf("SKIPPED, needs the go command: %v", err)
	}
	return filepath.Join(strings.TrimSpace(string(module)), "pjrt")
}

// source writes one of the embedded files where a compiler can read it.
func source(t testing.TB, name string) (path string) {
	t.Helper()
	text, err := sources.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), name)
	write(t, path, string(text))
	return path
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// compile makes a shared library of a C file.
func compile(t testing.TB, source, library string, flags ...string) {
	t.Helper()
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skipf("SKIPPED, needs a C compiler called cc: %v", err)
	}
	if err := os.MkdirAll(filepath.Dir(library), 0o755); err != nil {
		t.Fatal(err)
	}
	args := append(flags, "-shared", "-fPIC", "-Wl,-soname,"+filepath.Base(library), "-o", library, source, "-ldl")
	if out, err := exec.CommandContext(t.Context(), cc, args...).CombinedOutput(); err != nil {
		t.Fatalf("cc: %v\n%s", err, out)
	}
}
