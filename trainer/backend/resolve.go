package backend

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/go-xla/pjrt"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// The platforms a trial can run on.
const (
	PlatformCPU  = "xla:cpu"
	PlatformCUDA = trial.PlatformCUDA
	PlatformGo   = "go"
)

// installFix is what a person can do about a missing CPU plug-in.
const installFix = "run `sweep backend install`, or set PJRT_PLUGIN_LIBRARY_PATH to the folder that holds it"

// cudaFix is what a person can do about a missing CUDA plug-in.
const cudaFix = "run `sweep backend install --platform cuda`, or set PJRT_PLUGIN_LIBRARY_PATH to the folder of pjrt_c_api_cuda_plugin.so"

// brokenCUDAFix is what a person can do about one that does not work.
const brokenCUDAFix = "unless it is the driver (nvidia-smi fails too), delete the plug-in and run `sweep backend install --platform cuda`"

// Choice is the platform and plug-in that a sweep runs on.
type Choice struct {
	Platform      string   `json:"platform"` // xla:cpu, xla:cuda or go
	PluginPath    string   `json:"plugin_path,omitempty"`
	PluginVersion string   `json:"plugin_version,omitempty"`
	PluginSHA256  string   `json:"plugin_sha256,omitempty"`
	Identity      string   `json:"identity"` // becomes trial.Trial.Backend, e.g. "xla:cpu sha256:ad1309ac822b"
	Devices       []string `json:"devices"`
	DeviceBytes   int64    `json:"device_bytes,omitempty"` // what the allocator of the smallest device may hand out; 0 means unknown
	// BFloat16Speedup is how many times as fast a product is in bfloat16 as in float32; 0 means unknown.
	BFloat16Speedup float64 `json:"bfloat16_speedup,omitempty"`
	Notice          string  `json:"notice,omitempty"` // one line for the user: why auto took what is slower, or what was not tried
}

// Resolve says what want (auto, xla:cpu, xla:cuda, go, or the path of a plug-in) means on this machine. Auto takes CUDA
// if its plug-in loads and lists a device, else the CPU plug-in, with a Notice if there is a GPU whose plug-in does not work, else pure
// Go with a Notice. An explicit wish that cannot
// be met is an error that says how to meet it; a wish that is no backend at all is trial.ErrInput. Nothing is downloaded.
func Resolve(ctx context.Context, want string) (Choice, error) {
	return newResolver().resolve(ctx, want)
}

// ResolveElsewhere is Resolve for trials that run on other machines, which have the same files: a CUDA plug-in needs no GPU here, and
// auto takes none, for a GPU of this machine says nothing of theirs.
func ResolveElsewhere(ctx context.Context, want string) (Choice, error) {
	return newResolver().elsewhere(ctx, want)
}

func (r resolver) elsewhere(ctx context.Context, want string) (Choice, error) {
	if !r.gpu() {
		here := r.probe
		r.probe = func(ctx context.Context, path string) (probeResult, error) {
			if pjrt.IsCUDAName(path) {
				return r.load(ctx, path)
			}
			return here(ctx, path)
		}
	}
	if want == "auto" || want == "" {
		r.gpu = func() bool { return false }
	}
	return r.resolve(ctx, want)
}

// Known reports whether want names no plug-in's path, or that of one that is installed here, or was tried here before by this user and is
// the same file still. A plug-in is a program: a path that came with a folder from elsewhere must not be loaded without a person's word.
func Known(want string) bool {
	if slices.Contains([]string{"", "auto", PlatformGo, PlatformCPU, PlatformCUDA}, want) {
		return true
	}
	if _, tried := openProbeCache().load(want); tried {
		return true
	}
	for _, found := range findPlugins() {
		if found == want {
			return true
		}
	}
	return false
}

// resolver holds what resolution depends on, so that its rules can be tested without plug-ins.
type resolver struct {
	find  func() map[string]string // plug-ins found, by name as in pjrt_c_api_<name>_plugin.so
	gpu   func() bool              // whether the kernel knows an NVIDIA device
	probe func(ctx context.Context, path string) (probeResult, error)
	load  func(ctx context.Context, path string) (probeResult, error) // what can be told of a CUDA plug-in without a GPU
}

func newResolver() resolver {
	return resolver{find: findPlugins, gpu: hasNvidiaDevice, probe: probePlugin, load: probeLoading}
}

func (r resolver) resolve(ctx context.Context, want string) (Choice, error) {
	switch want {
	case "auto", "":
		return r.auto(ctx)
	case PlatformGo:
		return goChoice(), nil
	case PlatformCPU:
		return r.cpu(ctx)
	case PlatformCUDA:
		return r.cuda(ctx)
	}
	if strings.ContainsRune(want, filepath.Separator) || strings.HasSuffix(want, ".so") {
		return r.path(ctx, want)
	}
	return Choice{}, fmt.Errorf("%w: unknown backend %q: want auto, %s, %s, %s, or the path of a PJRT plug-in",
		trial.ErrInput, want, PlatformCPU, PlatformCUDA, PlatformGo)
}

func (r resolver) auto(ctx context.Context) (Choice, error) {
	var unused string
	if len(r.named("cuda")) > 0 && r.gpu() {
		c, err := r.cuda(ctx)
		if err == nil {
			return c, nil
		}
		unused = fmt.Sprintf("the GPU is not used: %v", err)
	}
	c, err := r.cpu(ctx)
	if err == nil {
		c.Notice = unused
		return c, nil
	}
	if ctx.Err() != nil {
		return Choice{}, ctx.Err()
	}
	c = goChoice()
	c.Notice = strings.TrimPrefix(fmt.Sprintf("%s; %v; training in pure Go instead, about 20 times slower", unused, err), "; ")
	return c, nil
}

func (r resolver) cpu(ctx context.Context) (Choice, error) {
	c, err := r.first(ctx, "cpu", PlatformCPU)
	if err != nil {
		return Choice{}, fmt.Errorf("%w (to fix: %s)", err, installFix)
	}
	return c, nil
}

func (r resolver) cuda(ctx context.Context) (Choice, error) {
	c, err := r.first(ctx, "cuda", PlatformCUDA)
	switch {
	case err == nil:
		return c, nil
	case !r.gpu():
		return Choice{}, fmt.Errorf("%w; this machine shows no NVIDIA device (/dev/nvidia*): use --backend auto", err)
	case len(r.named("cuda")) > 0:
		return Choice{}, fmt.Errorf("%w (to fix: %s)", err, brokenCUDAFix)
	default:
		return Choice{}, fmt.Errorf("%w (to fix: %s)", err, cudaFix)
	}
}

// first returns the choice for the first plug-in of that kind that works.
func (r resolver) first(ctx context.Context, kind, platform string) (Choice, error) {
	paths := r.named(kind)
	if len(paths) == 0 {
		return Choice{}, fmt.Errorf("no %s plug-in found", platform)
	}
	var errs []error
	for _, path := range paths {
		c, err := r.path(ctx, path)
		if err == nil && c.Platform != platform {
			err = fmt.Errorf("plug-in %s is for %s", path, c.Platform)
		}
		if err == nil {
			return c, nil
		}
		errs = append(errs, err)
	}
	return Choice{}, errors.Join(errs...)
}

// named lists the plug-ins called kind or kind_<something> (cpu, cpu_v0.114.0, cuda13), the plain name first.
func (r resolver) named(kind string) []string {
	found := r.find()
	var names []string
	for name := range found {
		if strings.HasPrefix(name, kind) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = found[name]
	}
	return paths
}

func (r resolver) path(ctx context.Context, path string) (Choice, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return Choice{}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return Choice{}, fmt.Errorf("plug-in: %w", err)
	}
	if !info.Mode().IsRegular() {
		return Choice{}, fmt.Errorf("plug-in %s is not a file", path)
	}
	p, err := r.probe(ctx, path)
	if err != nil {
		return Choice{}, err
	}
	return p.choice(path)
}

func goChoice() Choice {
	c := Choice{Platform: PlatformGo, Identity: PlatformGo, Devices: []string{"cpu"}}
	if v, ok := Versions()["compute"]; ok { // test binaries do not know
		c.Identity += " compute@" + v
	}
	return c
}

// hasNvidiaDevice looks for a device file, which takes microseconds, where asking a driver could take seconds.
func hasNvidiaDevice() bool {
	for _, pattern := range []string{"/dev/nvidia[0-9]*", "/dev/dxg"} {
		if m, err := filepath.Glob(pattern); err == nil && len(m) > 0 {
			return true
		}
	}
	return false
}
