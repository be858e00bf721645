package backend

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/trainer/backend/backendtest"
)

func TestCheckDriver(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name            string
		status, version int
		want            string
	}{
		{"works", 0, 13040, ""},
		{"newer", 0, 14010, ""},
		{"too old", 0, 12080, "it has CUDA 12.8, the plug-in needs 13.0"},
		{"no device", 100, 13000, "does not start: CUDA_ERROR_NO_DEVICE"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			library := backendtest.Driver(t, test.status, test.version)
			err := checkDriver(library, 13000)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("checkDriver = %v, want %q", err, test.want)
			}
		})
	}
	err := checkDriver("/nowhere/libcuda.so.1", 0)
	if err == nil || !strings.Contains(err.Error(), "driver is missing (/nowhere/libcuda.so.1") {
		t.Errorf("checkDriver without one = %v", err)
	}
}

func TestOldestDriver(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]int{
		"/venv/site-packages/jax_plugins/xla_cuda12/xla_cuda_plugin.so": 12000, filepath.Join("/lib", pinnedCUDA().plugin): pinnedCUDA().driver,
		"/lib/go-xla/nvidia/pjrt_c_api_cuda_plugin.so": 0,
	} {
		if got := oldestDriver(path); got != want {
			t.Errorf("oldestDriver(%s) = %d, want %d", path, got, want)
		}
	}
}

// TestCUDAOptions reads in another process, with a driver that works, what reaches a plug-in.
func TestCUDAOptions(t *testing.T) {
	const pluginEnv = "RANKSWEEP_TEST_PLUGIN"
	if path := os.Getenv(pluginEnv); path != "" {
		_, err := Open(PlatformCUDA, path, 1)
		fmt.Println(err, os.Getenv("XLA_FLAGS"))
		return
	}
	t.Parallel()
	site := t.TempDir()
	plugin, driver := backendtest.Plugin(t, site), filepath.Dir(backendtest.Driver(t, 0, 13000))
	cmd := exec.Command(os.Args[0], "-test.run=^TestCUDAOptions$")
	cmd.Env = append(os.Environ(), pluginEnv+"="+plugin, "LD_LIBRARY_PATH="+driver, "XLA_FLAGS=--xla_dump_to=x")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"preallocate=0", "visible_devices=1/1", "x --xla_gpu_cuda_data_dir=" + filepath.Join(site, "nvidia/cu13")} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the plug-in was opened with\n%s\nwant %s", out, want)
		}
	}
}

func TestLibrariesIn(t *testing.T) {
	t.Parallel()
	nvidia := filepath.Join(t.TempDir(), "nvidia")
	for _, file := range []string{"cu13/lib/libcublas.so.13", "cublas/lib/libcublas.so.12", "cudnn/lib/libcudnn.so.9"} {
		write(t, nvidia, file, "")
	}
	for major, want := range map[int][]string{
		0: {"cu13/lib/libcublas.so.13", "cudnn/lib/libcudnn.so.9"}, 13: {"cu13/lib/libcublas.so.13", "cudnn/lib/libcudnn.so.9"},
		12: {"cublas/lib/libcublas.so.12", "cudnn/lib/libcudnn.so.9"},
	} {
		l := librariesIn(nvidia, major)
		for i := range want {
			want[i] = filepath.Join(nvidia, want[i])
		}
		if diff := cmp.Diff(want, l.files); diff != "" || len(l.missing) != 9 {
			t.Errorf("CUDA %d: %d missing; files (-want +got):\n%s", major, len(l.missing), diff)
		}
	}
	if l := findLibraries(filepath.Join(t.TempDir(), "plugin.so")); l.folder != "" || l.load() != nil {
		t.Errorf("findLibraries beside nothing = %+v, want none, which loads", l)
	}
}

// TestCUDAWithoutADriver is what a person sees who has a plug-in and no GPU.
func TestCUDAWithoutADriver(t *testing.T) {
	t.Parallel()
	if hasNvidiaDevice() {
		t.Skip("SKIPPED, this machine has a GPU")
	}
	plugin := backendtest.Plugin(t, t.TempDir())
	if _, err := Resolve(t.Context(), plugin); err == nil || !strings.Contains(err.Error(), "NVIDIA's driver is missing (libcuda.so.1") {
		t.Errorf("Resolve(%s) = %v, want an error that names the driver", plugin, err)
	}
}
