package backend

import (
	"context"
	"errors"
)

// Candidate is a platform and plug-in that was found, and why it cannot be used if it cannot.
type Candidate struct {
	Choice

	Error string `json:"error,omitempty"`
	Fix   string `json:"fix,omitempty"` // one thing that a person can do about Error
}

// List returns every platform that could be used here, in the order in which auto prefers them. Pure Go is always the
// last. A CUDA plug-in is not loaded where the machine shows no GPU; a GPU without a plug-in is listed with its fix.
func List(ctx context.Context) []Candidate { return newResolver().list(ctx) }

func (r resolver) list(ctx context.Context) []Candidate {
	var all []Candidate
	gpu, cuda := r.gpu(), r.named("cuda")
	if gpu && len(cuda) == 0 {
		all = append(all, broken(PlatformCUDA, "", errors.New("this machine has an NVIDIA GPU, but no CUDA plug-in was found"), cudaFix))
	}
	for _, path := range cuda {
		if !gpu {
			all = append(all, broken(PlatformCUDA, path, errors.New("this machine shows no NVIDIA device (/dev/nvidia*)"),
				"none is needed without a GPU; with one, install NVIDIA's driver"))
			continue
		}
		all = append(all, r.candidate(ctx, path, PlatformCUDA, cudaFix))
	}
	for _, path := range r.named("cpu") {
		all = append(all, r.candidate(ctx, path, PlatformCPU, "delete it and run `sweep backend install`"))
	}
	return append(all, Candidate{Choice: goChoice()})
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
