package backend

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
)

// Candidate is a platform and plug-in that was found, and why it cannot be used if it cannot.
type Candidate struct {
	Choice

	Error string `json:"error,omitempty"`
	Fix   string `json:"fix,omitempty"` // one thing that a person can do about Error

	Libraries *Libraries `json:"libraries,omitempty"` // of NVIDIA, beside a CUDA plug-in
}

// Libraries are NVIDIA's libraries as wheels bring them, which a CUDA plug-in takes from a folder beside it.
type Libraries struct {
	Folder  string   `json:"folder,omitempty"` // empty where there is none: then it takes the system's
	Files   []string `json:"files,omitempty"`
	Missing []string `json:"missing,omitempty"` // below Folder
}

// List returns every platform that could be used here, in the order in which auto prefers them. Pure Go is always the
// last. A CUDA plug-in is not loaded where the machine shows no GPU; a GPU without a plug-in is listed with its fix.
func List(ctx context.Context) []Candidate { return newResolver().list(ctx) }

func (r resolver) list(ctx context.Context) []Candidate {
	var all []Candidate
	gpu, cuda := r.gpu(), r.named("cuda")
	if gpu && len(cuda) == 0 {
		all = append(all, broken(PlatformCUDA, "", errors.New("this machine has an NVIDIA GPU, but no CUDA plug-in was found"), cudaFix+pipFix()))
	}
	for _, path := range cuda {
		c := broken(PlatformCUDA, path, errors.New("this machine shows no NVIDIA device (/dev/nvidia*)"),
			"none is needed without a GPU; with one, install NVIDIA's driver")
		if gpu {
			c = r.candidate(ctx, path, PlatformCUDA, brokenCUDAFix)
		}
		l := findLibraries(path)
		c.Libraries = &Libraries{l.folder, l.files, l.missing}
		all = append(all, c)
	}
	for _, path := range r.named("cpu") {
		all = append(all, r.candidate(ctx, path, PlatformCPU, "delete it and run `sweep backend install`"))
	}
	return append(all, Candidate{Choice: goChoice()})
}

// pipFix offers the Python environment in use where it has NVIDIA's libraries already, as PyTorch brings them.
func pipFix() string {
	for _, site := range pythonSites() {
		for _, kind := range []string{"13", "12"} {
			plugin := filepath.Join(site, "jax_plugins", "xla_cuda"+kind, "xla_cuda_plugin.so") // where it would be
			if l := findLibraries(plugin); len(l.files) > 0 && len(l.missing) == 0 {
				return fmt.Sprintf(", or, for NVIDIA's libraries are in %s: pip install jax-cuda%s-pjrt", l.folder, kind)
			}
		}
	}
	return ""
}

func (r resolver) candidate(ctx context.Context, path, platform, fix string) Candidate {
	c, err := r.path(ctx, path)
	if err != nil {
		return broken(platform, path, err, fix)
	}
	return Candidate{Choice: c}
}

func broken(platform, path string, err error, fix string) Candidate {
	return Candidate{Choice: Choice{Platform: platform, PluginPath: path}, Error: err.Error(), Fix: fix}
}
