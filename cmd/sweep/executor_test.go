package main

import (
	"testing"

	"github.com/ranksweep/ranksweep/trainer/backend"
)

func TestLocalCapacity(t *testing.T) {
	t.Parallel()
	gpus := backend.Choice{Platform: backend.PlatformCUDA, Devices: []string{"a", "b"}}
	for name, tt := range map[string]struct {
		choice             backend.Choice
		jobs, trials, want int
	}{
		"a job for each GPU":          {gpus, jobsAuto, 9, 2},
		"no more jobs than trials":    {gpus, jobsAuto, 1, 1},
		"as --jobs says":              {backend.Choice{}, 7, 1, 7},
		"more jobs than GPUs refused": {gpus, 3, 9, 0},
	} {
		got, err := localCapacity(tt.choice, tt.jobs, tt.trials)
		if refused := exitCode(err) == exitUsage; got.Jobs != tt.want || refused != (tt.want == 0) || (got.HostBytes > 0) == refused {
			t.Errorf("%s: %+v, %v, want %d jobs", name, got, err, tt.want)
		}
	}
}
