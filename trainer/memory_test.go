package trainer

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/sweep/trial/cause"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// TestLimitedPeak: a process on a GPU maps far more host memory than it may use of the device, so the two are never mixed.
func TestLimitedPeak(t *testing.T) {
	t.Parallel()
	host, device := new(int64), new(int64)
	tests := map[string]struct {
		platform string
		memory   trial.Memory
		want     *int64
	}{
		"cpu":                       {backend.PlatformCPU, trial.Memory{PeakHostBytes: host}, host},
		"go":                        {backend.PlatformGo, trial.Memory{PeakHostBytes: host}, host},
		"gpu":                       {backend.PlatformCUDA, trial.Memory{PeakHostBytes: host, PeakDeviceBytes: device}, device},
		"gpu that cannot tell":      {backend.PlatformCUDA, trial.Memory{PeakHostBytes: host}, nil},
		"cpu that tells a device's": {backend.PlatformCPU, trial.Memory{PeakHostBytes: host, PeakDeviceBytes: device}, host},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := limited(tc.platform, tc.memory); got != tc.want {
				t.Errorf("limited(%s) = %p, want %p", tc.platform, got, tc.want)
			}
		})
	}
}

// TestOutOfMemory asks a real plug-in for more than a process can address.
func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	c, err := backend.Resolve(t.Context(), backend.PlatformCPU)
	if err != nil {
		t.Skipf("SKIPPED, needs the XLA CPU plug-in: %v", err)
	}
	be, err := backend.Open(c.Platform, c.PluginPath, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer be.Finalize()
	_, full := graph.CallOnce(be, func(x *graph.Node) *graph.Node {
		return graph.Add(graph.Iota(x.Graph(), shapes.Make(dtypes.Float32, 1<<23, 1<<23), 0), x)
	}, float32(1))
	if full == nil {
		t.Fatal("the plug-in has 256 TiB of memory")
	}
	for name, tt := range map[string]struct {
		shared bool
		err    error
		want   trial.Outcome
		advice string
	}{
		"its own device":  {false, full, trial.Outcome{State: trial.OutcomeCrashed, Cause: cause.Memory}, "lower batch_size"},
		"a shared device": {true, full, trial.Outcome{State: trial.OutcomeCrashed, Cause: cause.Memory}, "lower --jobs"},
		"something else":  {true, errors.New("PJRT error (code=3): no"), trial.Outcome{State: trial.OutcomeFailed, Cause: cause.Code}, "no"},
		"named in its text": {
			false, errors.New("RESOURCE_EXHAUSTED: no"), trial.Outcome{State: trial.OutcomeCrashed, Cause: cause.Memory}, "lower batch_size",
		},
		"a cached row that cannot be read": {
			false, asError(fmt.Errorf("read row 3 of the prepared corpus: %w", syscall.EIO)),
			trial.Outcome{State: trial.OutcomeCrashed, Cause: cause.Disk},
			"mend the disk",
		},
		"no descriptor left": {
			false, fmt.Errorf("open: %w", syscall.EMFILE), trial.Outcome{State: trial.OutcomeCrashed, Cause: cause.NoProcess}, "ulimit -n",
		},
		"bad input": {false, fmt.Errorf("%w: no row", trial.ErrInput), trial.Outcome{State: trial.OutcomeFailed, Cause: cause.Data}, "no row"},
	} {
		attempt := training{Assignment: trial.Assignment{SharedDevice: tt.shared}}
		o := attempt.failure(t.Context(), tt.err)
		if o.State != tt.want.State || o.Cause != tt.want.Cause || !strings.Contains(o.Error, tt.advice) {
			t.Errorf("%s: %+v, want %+v with %q", name, o, tt.want, tt.advice)
		}
	}
}

// TestGrowth pins the first prediction to what was measured (experiments/LOG.md 2026-11-30, in pure Go 2026-11-23), within a tenth.
func TestGrowth(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	tests := []struct {
		platform                                    string
		resident, step, evaluation, matrices, peaks int64 // MiB
	}{
		{backend.PlatformCPU, 214, 132, 16, 3, 393},
		{backend.PlatformCPU, 267, 404, 25, 41, 773},
		{backend.PlatformCPU, 363, 422, 30, 90, 941},
		{backend.PlatformCPU, 256, 306, 48, 41, 735},
		{backend.PlatformGo, 33, 8, 0, 0, 68},
		{backend.PlatformGo, 33, 32, 0, 0, 126},
		{backend.PlatformGo, 33, 128, 0, 0, 299},
	}
	for _, tc := range tests {
		got := tc.resident + held{tc.step * mib, tc.evaluation * mib, tc.matrices * mib}.growth(tc.platform)/mib
		if 100*got < 90*tc.peaks || 100*got > 110*tc.peaks {
			t.Errorf("%s, a step of %d MiB: predicted %d MiB, measured %d", tc.platform, tc.step, got, tc.peaks)
		}
	}
}

// TestActivations: checkpointing holds one block beside the inputs of all of them.
func TestActivations(t *testing.T) {
	t.Parallel()
	var modules []lora.Module
	for i := range 4 {
		name := func(kind string) string { return fmt.Sprintf("transformer.h.%d.%s", i, kind) }
		modules = append(modules, lora.Module{Name: name("attn.c_attn"), In: 10, Out: 30}, lora.Module{Name: name("mlp.c_fc"), In: 10, Out: 40})
	}
	run := &training{Assignment: trial.Assignment{Model: trial.ModelInfo{Modules: modules}}}
	run.targets, run.Trial.Spec.LoRA.Rank = modules[:1], 3
	if got, want := run.activations(), int64(4*(40+50)+2*3); got != want {
		t.Errorf("activations = %d, want %d", got, want)
	}
	run.Trial.Spec.Train.GradientCheckpointing = true
	if got, want := run.activations(), int64(40+50+2*3+4*10); got != want {
		t.Errorf("activations with checkpointing = %d, want %d", got, want)
	}
}
