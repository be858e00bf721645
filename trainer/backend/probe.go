package backend

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/pjrt"
	"github.com/gomlx/gomlx/core/graph"
)

// probeEnv names the plug-in that a child process of this program is to try; with loadEnv it only loads it.
const (
	probeEnv = "RANKSWEEP_PROBE_PLUGIN"
	loadEnv  = "RANKSWEEP_PROBE_LOAD"
)

// probeTimeout bounds one probe. A CPU plug-in answers in well under a second; CUDA with several GPUs takes a few.
const probeTimeout = 60 * time.Second

// probeResult is what a plug-in said of itself after it computed something.
type probeResult struct {
	Platform string   `json:"platform"` // as PJRT calls it: cpu, cuda, ...
	Version  string   `json:"version"`
	SHA256   string   `json:"sha256"`
	Devices  []string `json:"devices"`
	Memory   int64    `json:"memory,omitempty"`   // bytes that the allocator of the smallest device may hand out; 0 means unknown
	BFloat16 float64  `json:"bfloat16,omitempty"` // see bfloat16Speedup; 0 where it has no such products
	Error    string   `json:"error,omitempty"`
}

// init makes every program that links this package able to serve as the probe's child: it tries the plug-in and exits
// before main, so that a library that aborts, or eats GPU memory, does so in a process of its own.
func init() {
	path := os.Getenv(probeEnv)
	if path == "" {
		return
	}
	try := tryPlugin
	if os.Getenv(loadEnv) != "" {
		try = loadPlugin
	}
	result, err := try(path)
	if err != nil {
		result.Error = firstLine(err.Error())
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// probePlugin reports what the plug-in at path is, from a child process, or from the user's cache if this very file was
// probed on this very machine before. Failures are not remembered.
func probePlugin(ctx context.Context, path string) (probeResult, error) {
	cache := openProbeCache()
	if p, ok := cache.load(path); ok {
		return p, nil
	}
	p, err := runProbe(ctx, path)
	if err != nil {
		return probeResult{}, fmt.Errorf("plug-in %s does not work: %w", path, err)
	}
	if p.SHA256, err = fileSHA256(path); err != nil {
		return probeResult{}, fmt.Errorf("checksum of plug-in: %w", err)
	}
	p.Version = pluginVersion(path, p)
	cache.save(path, p)
	return p, nil
}

// probeLoading reports what can be told of a CUDA plug-in without a GPU: that it loads, with NVIDIA's libraries.
func probeLoading(ctx context.Context, path string) (probeResult, error) {
	p, err := runProbe(ctx, path, loadEnv+"=1")
	if err != nil {
		return probeResult{}, fmt.Errorf("plug-in %s does not load: %w", path, err)
	}
	if p.SHA256, err = fileSHA256(path); err != nil {
		return probeResult{}, fmt.Errorf("checksum of plug-in: %w", err)
	}
	p.Platform, p.Version = "cuda", pluginVersion(path, p)
	return p, nil
}

// runProbe lets a child process of this program try a plug-in. env are more variables of its environment.
func runProbe(ctx context.Context, path string, env ...string) (probeResult, error) {
	self, err := os.Executable()
	if err != nil {
		return probeResult{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(append(os.Environ(), probeEnv+"="+path, "TF_CPP_MIN_LOG_LEVEL=3"), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return probeResult{}, fmt.Errorf("probe: %w", context.Cause(ctx))
	}
	if err != nil {
		return probeResult{}, fmt.Errorf("loading it ended the process (%w): %s", err, firstLine(stderr.String()))
	}
	var p probeResult
	if err := json.Unmarshal([]byte(lastLine(string(out))), &p); err != nil {
		return probeResult{}, fmt.Errorf("probe's answer: %w", err)
	}
	if p.Error != "" {
		return probeResult{}, errors.New(p.Error)
	}
	return p, nil
}

// loadPlugin loads the plug-in and what it needs, and asks it for its version. It runs in the child.
func loadPlugin(path string) (result probeResult, err error) {
	if pjrt.IsCUDAName(path) {
		if err := findLibraries(path).load(); err != nil {
			return result, err
		}
	}
	plugin, err := pjrt.GetPlugin(path)
	if err != nil {
		return result, err
	}
	major, minor := plugin.Version()
	result.Version = fmt.Sprintf("PJRT API %d.%d", major, minor)
	return result, nil
}

// tryPlugin loads the plug-in, lists its devices and computes 1+1 on the first. It runs in the child.
func tryPlugin(path string) (result probeResult, err error) {
	if result, err = loadPlugin(path); err != nil {
		return result, err
	}
	be, err := openXLA(path, pjrt.IsCUDAName(path), allDevices)
	if err != nil {
		return result, err
	}
	defer be.Finalize()
	client, err := pjrtClient(be)
	if err != nil {
		return result, err
	}
	result.Platform, result.Memory = client.Platform(), smallestDevice(client)
	if v := client.PlatformVersion(); v != "" && v != result.Platform {
		result.Version = v + ", " + result.Version
	}
	if result.Devices, err = deviceNames(client); err != nil {
		return result, err
	}
	if err := onePlusOne(be); err != nil {
		return result, err
	}
	if speedup, err := bfloat16Speedup(be); err == nil {
		result.BFloat16 = speedup
	}
	return result, nil
}

// onePlusOne shows that the backend compiles and runs a program.
func onePlusOne(be compute.Backend) error {
	sum, err := graph.CallOnce(be, func(x *graph.Node) *graph.Node { return graph.Add(x, x) }, float32(1))
	if err != nil {
		return err
	}
	if got, ok := sum.Value().(float32); !ok || got != 2 {
		return fmt.Errorf("it says that 1+1 is %v", sum.Value())
	}
	return nil
}

// deviceNames lists a GPU plug-in's devices. A CPU plug-in pretends to have several, which share the same cores.
func deviceNames(client *pjrt.Client) ([]string, error) {
	if client.Platform() == "cpu" {
		return []string{"cpu"}, nil
	}
	var names []string
	for _, d := range client.AddressableDevices() {
		desc, err := d.GetDescription()
		if err != nil {
			return nil, err
		}
		names = append(names, desc.DebugString())
	}
	return names, nil
}

// choice turns a probe into a Choice.
func (p probeResult) choice(path string) (Choice, error) {
	platform := "xla:" + p.Platform
	switch platform {
	case PlatformCPU, PlatformCUDA:
	default:
		return Choice{}, fmt.Errorf("plug-in %s is for %q: only cpu and cuda are supported", path, p.Platform)
	}
	return Choice{
		Platform: platform, PluginPath: path, PluginVersion: p.Version, PluginSHA256: p.SHA256,
		Identity: platform + " sha256:" + p.SHA256[:12], Devices: p.Devices, DeviceBytes: p.Memory,
		BFloat16Speedup: p.BFloat16,
	}, nil
}

var releaseName = regexp.MustCompile(`_(v\d+\.\d+\.\d+)_plugin\.so$`)

// pluginVersion names the release a plug-in came from, where its checksum or its file name tells.
func pluginVersion(path string, p probeResult) string {
	if p.SHA256 == pinnedWheel().pluginSHA256 {
		return pinnedWheel().String()
	}
	if set := pinnedCUDA(); strings.HasSuffix(path, filepath.Join(set.name, set.plugin)) {
		return set.version
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		if m := releaseName.FindStringSubmatch(real); m != nil {
			return "pjrt-cpu-binaries " + m[1]
		}
	}
	return p.Version
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return strings.TrimSpace(s[strings.LastIndexByte(s, '\n')+1:])
}
