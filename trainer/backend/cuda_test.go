package backend

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pluginSource is a CUDA plug-in that can be loaded without a GPU. It refuses to start where NVIDIA's libraries were not loaded before it,
// and to make a client: then it says with which options it was asked to.
const pluginSource = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include "pjrt_c_api.h"

static char text[1024];

static void destroy(PJRT_Error_Destroy_Args *args) {}
static void message(PJRT_Error_Message_Args *args) { args->message = text; args->message_size = strlen(text); }
static PJRT_Error *code(PJRT_Error_GetCode_Args *args) { args->code = PJRT_Error_Code_FAILED_PRECONDITION; return NULL; }

static PJRT_Error *start(PJRT_Plugin_Initialize_Args *args) {
	if (dlopen("libcublas.so.13", RTLD_LAZY | RTLD_NOLOAD)) return NULL;
	strcpy(text, "cuBLAS is not loaded");
	return (PJRT_Error *)text;
}

static PJRT_Error *attributes(PJRT_Plugin_Attributes_Args *args) { args->num_attributes = 0; return NULL; }

static PJRT_Error *client(PJRT_Client_Create_Args *args) {
	strcpy(text, "asked for:");
	for (size_t i = 0; i < args->num_options; i++) {
		const PJRT_NamedValue *o = &args->create_options[i];
		char *end = text + strlen(text);
		if (o->type == PJRT_NamedValue_kBool) sprintf(end, " %.*s=%d", (int)o->name_size, o->name, o->bool_value);
		if (o->type == PJRT_NamedValue_kInt64List)
			sprintf(end, " %.*s=%ld/%zu", (int)o->name_size, o->name, (long)o->int64_array_value[0], o->value_size);
	}
	return (PJRT_Error *)text;
}

const PJRT_Api *GetPjrtApi(void) {
	static PJRT_Api api = {
		.struct_size = PJRT_Api_STRUCT_SIZE,
		.pjrt_api_version = {.struct_size = PJRT_Api_Version_STRUCT_SIZE, .minor_version = PJRT_API_MINOR},
		.PJRT_Error_Destroy = destroy, .PJRT_Error_Message = message, .PJRT_Error_GetCode = code,
		.PJRT_Plugin_Initialize = start, .PJRT_Plugin_Attributes = attributes, .PJRT_Client_Create = client,
	};
	return &api;
}
`

// driverSource is a driver whose state is given when it is compiled.
const driverSource = `
int cuInit(unsigned flags) { return STATUS; }
int cuDriverGetVersion(int *version) { *version = VERSION; return 0; }
int cuGetErrorName(int status, const char **name) { *name = "CUDA_ERROR_NO_DEVICE"; return 0; }
`

// compile makes a shared library of that name in dir.
func compile(t *testing.T, dir, name, source string, flags ...string) string {
	t.Helper()
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skipf("SKIPPED, needs a C compiler: %v", err)
	}
	write(t, dir, name+".c", source)
	path, text := filepath.Join(dir, name), filepath.Join(dir, name+".c")
	out, err := exec.Command(cc, append(flags, "-shared", "-fPIC", "-Wl,-soname,"+name, "-o", path, text)...).CombinedOutput()
	if err != nil {
		t.Fatalf("cc: %v\n%s", err, out)
	}
	if err := os.Remove(text); err != nil {
		t.Fatal(err)
	}
	return path
}

// cudaTree lays out the stand-in for JAX's plug-in, and for one of NVIDIA's libraries, as their wheels do. It returns the plug-in's path.
func cudaTree(t *testing.T) (site, plugin string) {
	t.Helper()
	module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/gomlx/go-xla").Output()
	if err != nil {
		t.Skipf("SKIPPED, needs the go command: %v", err)
	}
	site = t.TempDir()
	compile(t, filepath.Join(site, "nvidia/cu13/lib"), "libcublas.so.13", "int blas;")
	return site, compile(t, filepath.Join(site, "jax_plugins/xla_cuda13"), "xla_cuda_plugin.so", pluginSource,
		"-I"+filepath.Join(strings.TrimSpace(string(module)), "pjrt"))
}

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
			library := compile(t, t.TempDir(), "driver.so", driverSource, fmt.Sprintf("-DSTATUS=%d", test.status),
				fmt.Sprintf("-DVERSION=%d", test.version))
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
	site, plugin := cudaTree(t)
	driver := filepath.Dir(compile(t, t.TempDir(), driverLibrary, driverSource, "-DSTATUS=0", "-DVERSION=13000"))
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
	_, plugin := cudaTree(t)
	if _, err := Resolve(t.Context(), plugin); err == nil || !strings.Contains(err.Error(), "NVIDIA's driver is missing (libcuda.so.1") {
		t.Errorf("Resolve(%s) = %v, want an error that names the driver", plugin, err)
	}
}
