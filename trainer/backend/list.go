package backend

import (
	"context"
	"errors"
)

// Candidate is a platform and plug-in that was found, and why it cannot be used if it cannot.
type Candidate struct {
	Choice

	Error string `json:"error,omitempty"`
}

// List returns every platform that could be used here, in the order in which auto prefers them. Pure Go is always the
// last. A CUDA plug-in is not loaded where the machine shows no GPU.
func List(ctx context.Context) []Candidate { return newResolver().list(ctx) }

func (r resolver) list(ctx context.Context) []Candidate {
	var all []Candidate
	for _, path := range r.named("cuda") {
		all = append(all, r.candidate(ctx, path, PlatformCUDA))
	}
	for _, path := range r.named("cpu") {
		all = append(all, r.candidate(ctx, path, PlatformCPU))
	}
	return append(all, Candidate{Choice: goChoice()})
}

func (r resolver) candidate(ctx context.Context, path, platform string) Candidate {
	c, err := Choice{}, errors.New("this machine shows no NVIDIA device (/dev/nvidia*)")
	if platform != PlatformCUDA || r.gpu() {
		c, err = r.path(ctx, path)
	}
	if err != nil {
		return Candidate{Choice: Choice{Platform: platform, PluginPath: path}, Error: err.Error()}
	}
	return Candidate{Choice: c}
}
