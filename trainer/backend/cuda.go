package backend

/*
#cgo linux LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

// loadLibrary loads a library for good. It returns NULL, or why not, for the caller to free.
static char *loadLibrary(const char *path) {
	return dlopen(path, RTLD_NOW | RTLD_LOCAL) ? NULL : strdup(dlerror());
}

// driverState asks NVIDIA's driver whether it works and which CUDA version it has. It returns NULL, or why it cannot be asked, for the
// caller to free.
static char *driverState(const char *path, int *status, const char **name, int *version) {
	void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!lib) return strdup(dlerror());
	int (*init)(unsigned) = (int (*)(unsigned))dlsym(lib, "cuInit");
	int (*number)(int *) = (int (*)(int *))dlsym(lib, "cuDriverGetVersion");
	int (*text)(int, const char **) = (int (*)(int, const char **))dlsym(lib, "cuGetErrorName");
	if (!init || !number || !text) return strdup("it lacks cuInit, cuDriverGetVersion or cuGetErrorName");
	number(version);
	*status = init(0);
	if (*status) text(*status, name);
	return NULL;
}
*/
import "C"

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unsafe"
)

// driverLibrary is the part of NVIDIA's driver that programs talk to.
const driverLibrary = "libcuda.so.1"

// cudaName finds the CUDA version in the path of a plug-in as JAX's wheels lay it.
var cudaName = regexp.MustCompile(`xla_cuda(\d+)/`)

// oldestDriver returns the CUDA version that a driver needs for the plug-in at that path, as cuDriverGetVersion writes it; 0 where the
// path does not tell. Within a major version newer libraries run on older drivers (NVIDIA, CUDA Compatibility, minor version
// compatibility).
func oldestDriver(plugin string) int {
	if m := cudaName.FindStringSubmatch(plugin); m != nil {
		var major int
		if _, err := fmt.Sscan(m[1], &major); err == nil {
			return major * 1000
		}
	}
	return 0
}

// checkDriver says what is wrong with NVIDIA's driver, if anything, where a plug-in only says that it sees no GPU.
func checkDriver(library string, oldest int) error {
	path := C.CString(library)
	defer C.free(unsafe.Pointer(path))
	var status, version C.int
	var name *C.char
	if problem := C.driverState(path, &status, &name, &version); problem != nil {
		defer C.free(unsafe.Pointer(problem))
		return fmt.Errorf("NVIDIA's driver is missing (%s): install it, or give the container its GPUs", C.GoString(problem))
	}
	have := fmt.Sprintf("%d.%d", version/1000, version%1000/10)
	if status != 0 {
		code := fmt.Sprint(int(status))
		if name != nil {
			code = C.GoString(name)
		}
		return fmt.Errorf("NVIDIA's driver (CUDA %s) does not start: %s; nvidia-smi says more", have, code)
	}
	if int(version) < oldest {
		return fmt.Errorf("NVIDIA's driver is too old: it has CUDA %s, the plug-in needs %d.%d; update it, or use JAX for CUDA %d from a "+
			"Python environment", have, oldest/1000, oldest%1000/10, version/1000)
	}
	return nil
}

// libraries are NVIDIA's, as wheels lay them beside a plug-in.
type libraries struct {
	folder  string   // called nvidia; empty where there is none
	tools   string   // folder in it with ptxas and libdevice
	files   []string // to load, in this order
	missing []string // below folder
}

// findLibraries looks in the two folders that JAX's plug-ins are linked to look in, nvidia beside and above their own.
func findLibraries(plugin string) libraries {
	for _, up := range []string{"../..", ".."} {
		folder := filepath.Join(filepath.Dir(plugin), up, "nvidia")
		if info, err := os.Stat(folder); err == nil && info.IsDir() {
			return librariesIn(folder, oldestDriver(plugin)/1000)
		}
	}
	return libraries{}
}

// librariesIn lists what JAX loads before its plug-in (jax_plugins/xla_cuda13/__init__.py of 0.11.2): the plug-in asks for them by
// name, and its own search path lacks some (for CUDA 12 cuSOLVER, for both NVSHMEM). major 0 means the newest there is.
func librariesIn(folder string, major int) libraries {
	l := libraries{folder: folder}
	names := []string{
		"cu13/lib/libcudart.so.13", "cu13/lib/libnvrtc.so.13", "cu13/lib/libcublasLt.so.13", "cu13/lib/libcublas.so.13",
		"nccl/lib/libnccl.so.2", "cu13/lib/libcupti.so.13", "cu13/lib/libcusparse.so.12", "cu13/lib/libcusolver.so.12",
		"cu13/lib/libcufft.so.12", "nvshmem/lib/libnvshmem_host.so.3", "cudnn/lib/libcudnn.so.9",
	}
	l.tools = filepath.Join(folder, "cu13")
	if _, err := os.Stat(l.tools); major == 12 || major == 0 && err != nil {
		l.tools = filepath.Join(folder, "cuda_nvcc")
		names = []string{
			"cuda_runtime/lib/libcudart.so.12", "cuda_nvrtc/lib/libnvrtc.so.12", "cublas/lib/libcublasLt.so.12", "cublas/lib/libcublas.so.12",
			"nccl/lib/libnccl.so.2", "cuda_cupti/lib/libcupti.so.12", "cusparse/lib/libcusparse.so.12", "cusolver/lib/libcusolver.so.11",
			"cufft/lib/libcufft.so.11", "nvshmem/lib/libnvshmem_host.so.3", "cudnn/lib/libcudnn.so.9",
		}
	}
	for _, name := range names {
		path := filepath.Join(folder, name)
		if _, err := os.Stat(path); err != nil {
			l.missing = append(l.missing, name)
			continue
		}
		l.files = append(l.files, path)
	}
	return l
}

// load loads the libraries into this process, so that the plug-in finds these and no others, and tells XLA where its compiler's
// tools are. A folder without libraries is left to the plug-in and the system.
func (l libraries) load() error {
	// go-xla would look for NVIDIA's folder in one place only, and print a page of advice where it is not there.
	if err := os.Setenv("GOPJRT_CUDA_CHECKS", "0"); err != nil || l.folder == "" {
		return err
	}
	for _, file := range l.files {
		path := C.CString(file)
		problem := C.loadLibrary(path)
		C.free(unsafe.Pointer(path))
		if problem != nil {
			defer C.free(unsafe.Pointer(problem))
			return fmt.Errorf("load %s: %s", file, C.GoString(problem))
		}
	}
	const tools = "--xla_gpu_cuda_data_dir"
	flags := os.Getenv("XLA_FLAGS")
	if _, err := os.Stat(l.tools); err != nil || strings.Contains(flags, tools) {
		return nil // without them XLA looks where CUDA is usually installed
	}
	return os.Setenv("XLA_FLAGS", strings.TrimSpace(flags+" "+tools+"="+l.tools))
}
