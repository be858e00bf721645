package main

import (
	"testing"

	"github.com/ranksweep/ranksweep/trainer/backend"
)

func TestLocalCapacity(t *testing.T) {
	t.Parallel()
	gpus := backend.Choice{Platform: backend.PlatformCUDA, Devices: []string{"a", "b"}, DeviceBytes: 1 << 30}
	dumb := backend.Choice{Platform: backend.PlatformCUDA, Devices: []string{"a", "b"}}
	for name, tt := range map[string]struct {
		choice             backend.Choice
		jobs, trials, want int
	}{
		"a job for each GPU":                              {gpus, jobsAuto, 9, 2},
		"no more jobs than trials":                        {gpus, jobsAuto, 1, 1},
		"as --jobs says":                                  {backend.Choice{}, 7, 1, 7},
		"several on each GPU":                             {gpus, 6, 9, 6},
		"several refused where memory cannot be told":     {dumb, 3, 9, 0},
		"a job for each GPU also where it cannot be told": {dumb, 2, 9, 2},
	} {
		got, err := localCapacity(tt.choice, tt.jobs, tt.trials)
		if got.Jobs > 0 && (got.Devices != len(tt.choice.Devices) || got.DeviceBytes != tt.choice.DeviceBytes) {
			t.Errorf("%s: %+v, want the choice's devices and their memory", name, got)
		}
		if refused := exitCode(err) == exitUsage; got.Jobs != tt.want || refused != (tt.want == 0) || (got.HostBytes > 0) == refused {
			t.Errorf("%s: %+v, %v, want %d jobs", name, got, err, tt.want)
		}
	}
}
