package backend

import (
	"errors"
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/go-xla/compute/xla"
)

// Open gives a worker its backend: platform and plugin path as Resolve chose them, and for GPUs the index of the device.
// GPU memory is taken as it is needed, not in advance, so that the allocator's peak means something and neighbours fit.
// The caller finalizes the backend.
func Open(platform, pluginPath string, device int) (compute.Backend, error) {
	if device < 0 {
		return nil, fmt.Errorf("open %s: device %d: want 0 or more", platform, device)
	}
	switch platform {
	case PlatformGo:
		return gobackend.New("")
	case PlatformCPU, PlatformCUDA:
		if pluginPath == "" {
			return nil, fmt.Errorf("open %s: no plug-in path given", platform)
		}
		be, err := openXLA(pluginPath, platform == PlatformCUDA, device)
		if err != nil {
			return nil, fmt.Errorf("open %s with plug-in %s: %w", platform, pluginPath, err)
		}
		return be, nil
	default:
		return nil, fmt.Errorf("open: unknown platform %q", platform)
	}
}

// allDevices makes every GPU visible.
const allDevices = -1

// openXLA opens a plug-in. XLA's own log is quiet: the xla package sets TF_CPP_MIN_LOG_LEVEL unless the user did.
func openXLA(path string, cuda bool, device int) (compute.Backend, error) {
	xla.EnableAutoInstall(false) // what GOMLX_NO_AUTO_INSTALL=1 does
	config := path
	if cuda {
		if err := findLibraries(path).load(); err != nil {
			return nil, err
		}
		if err := checkDriver(driverLibrary, oldestDriver(path)); err != nil {
			return nil, err
		}
		config += cudaOptions(device)
	}
	be, err := xla.NewWithOptions(config, nil)
	if err != nil {
		return nil, err
	}
	if be.NumDevices() == 0 {
		be.Finalize()
		return nil, errors.New("it lists no device")
	}
	return be, nil
}

// cudaOptions are what go-xla passes on to a CUDA plug-in: no memory taken in advance, and no TF32, which go-xla would turn on and which
// rounds float32 products to 10 bits; PyTorch has it off too (torch.backends.cuda.matmul.allow_tf32).
func cudaOptions(device int) string {
	options := ",preallocate=false,tf32=false"
	if device != allDevices {
		options += fmt.Sprintf(",visible_devices=%d", device)
	}
	return options
}
