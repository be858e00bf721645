package backend

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeMachine is a resolver over plug-in files that exist but are never loaded.
func fakeMachine(t *testing.T, gpu bool, works map[string]string) resolver {
	t.Helper()
	dir := t.TempDir()
	found := map[string]string{}
	for name := range works {
		found[name] = filepath.Join(dir, "pjrt_c_api_"+name+"_plugin.so")
		if err := os.WriteFile(found[name], []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return resolver{
		find: func() map[string]string { return found },
		gpu:  func() bool { return gpu },
		probe: func(_ context.Context, path string) (probeResult, error) {
			name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "pjrt_c_api_"), "_plugin.so")
			if works[name] == "" {
				return probeResult{}, errors.New("plug-in " + name + " does not work")
			}
			return probeResult{Platform: works[name], SHA256: strings.Repeat("ab", 32), Devices: []string{name}}, nil
		},
		load: func(_ context.Context, path string) (probeResult, error) {
			return probeResult{Platform: "cuda", SHA256: strings.Repeat("ab", 32)}, nil
		},
	}
}

func TestResolveRules(t *testing.T) {
	t.Parallel()
	const broken = ""
	tests := []struct {
		name    string
		gpu     bool
		plugins map[string]string // name to PJRT platform
		want    string
		choose  string // platform
		device  string // plug-in chosen
		notice  string
		err     string
	}{
		{
			name: "auto prefers CUDA", gpu: true, plugins: map[string]string{"cuda": "cuda", "cpu": "cpu"}, want: "auto",
			choose: PlatformCUDA, device: "cuda",
		},
		{
			name: "auto takes a versioned CUDA", gpu: true, plugins: map[string]string{"cuda13": "cuda"}, want: "auto", choose: PlatformCUDA,
			device: "cuda13",
		},
		{name: "auto without a GPU", plugins: map[string]string{"cuda": "cuda", "cpu": "cpu"}, want: "auto", choose: PlatformCPU, device: "cpu"},
		{
			name: "auto with a broken CUDA", gpu: true, plugins: map[string]string{"cuda": broken, "cpu": "cpu"}, want: "auto",
			choose: PlatformCPU, device: "cpu", notice: "the GPU is not used: plug-in cuda does not work",
		},
		{
			name: "auto with a versioned CPU", plugins: map[string]string{"cpu_v0.114.0": "cpu"}, want: "auto", choose: PlatformCPU,
			device: "cpu_v0.114.0",
		},
		{
			name: "auto tries the next CPU plug-in", plugins: map[string]string{"cpu": broken, "cpu_v0.114.0": "cpu"}, want: "auto",
			choose: PlatformCPU, device: "cpu_v0.114.0",
		},
		{name: "auto with nothing", want: "auto", choose: PlatformGo, device: "cpu", notice: "sweep backend install"},
		{
			name: "auto with a broken CPU", plugins: map[string]string{"cpu": broken}, want: "auto", choose: PlatformGo, device: "cpu",
			notice: "does not work",
		},
		{name: "go is go", plugins: map[string]string{"cpu": "cpu"}, want: "go", choose: PlatformGo, device: "cpu"},
		{
			name: "explicit CPU beside CUDA", gpu: true, plugins: map[string]string{"cuda": "cuda", "cpu": "cpu"}, want: PlatformCPU,
			choose: PlatformCPU, device: "cpu",
		},
		{name: "explicit CPU missing", want: PlatformCPU, err: "sweep backend install"},
		{name: "explicit CUDA missing", gpu: true, want: PlatformCUDA, err: "PJRT_PLUGIN_LIBRARY_PATH"},
		{name: "explicit CUDA without GPU", plugins: map[string]string{"cuda": broken}, want: PlatformCUDA, err: "no NVIDIA device"},
		{name: "a CPU plug-in called cuda", gpu: true, plugins: map[string]string{"cuda": "cpu"}, want: PlatformCUDA, err: "is for xla:cpu"},
		{name: "another platform", plugins: map[string]string{"cpu": "tpu"}, want: PlatformCPU, err: `is for "tpu"`},
		{name: "a typing error", want: "xla:gpu", err: "want auto"},
		{name: "no such path", want: "/nowhere/plugin.so", err: "no such file"},
		{name: "a folder", want: "/", err: "is not a file"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := fakeMachine(t, test.gpu, test.plugins)
			c, err := r.resolve(t.Context(), test.want)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("resolve(%q) = %+v, %v, want an error with %q", test.want, c, err, test.err)
				}
				return
			}
			if err != nil || c.Platform != test.choose || c.Devices[0] != test.device {
				t.Fatalf("resolve(%q) = %+v, %v, want %s on %s", test.want, c, err, test.choose, test.device)
			}
			if (c.Notice != "") != (test.notice != "") || !strings.Contains(c.Notice, test.notice) || strings.Contains(c.Notice, "\n") {
				t.Errorf("notice = %q, want one line with %q", c.Notice, test.notice)
			}
		})
	}
}

func TestResolvePath(t *testing.T) {
	t.Parallel()
	r := fakeMachine(t, false, map[string]string{"cpu": "cpu"})
	path := r.find()["cpu"]
	c, err := r.resolve(t.Context(), path)
	if err != nil || c.PluginPath != path || c.Identity != "xla:cpu sha256:abababababab" {
		t.Errorf("resolve(%s) = %+v, %v", path, c, err)
	}
}

func TestResolveStopsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := fakeMachine(t, false, map[string]string{"cpu": ""})
	if _, err := r.resolve(ctx, "auto"); !errors.Is(err, context.Canceled) {
		t.Errorf("resolve after cancel: %v, want it to say so instead of falling back", err)
	}
}

// TestResolveElsewhere: what other machines train on needs no GPU here, and a GPU here says nothing of them.
func TestResolveElsewhere(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		gpu    bool
		want   string
		choose string
	}{
		"CUDA without a GPU": {false, PlatformCUDA, PlatformCUDA},
		"CUDA with one":      {true, PlatformCUDA, PlatformCUDA},
		"auto with a GPU":    {true, "auto", PlatformCPU},
		"auto without":       {false, "auto", PlatformCPU},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			works := map[string]string{"cuda": "", "cpu": "cpu"} // the plug-in computes nothing without a GPU
			if tt.gpu {
				works["cuda"] = "cuda"
			}
			got, err := fakeMachine(t, tt.gpu, works).elsewhere(t.Context(), tt.want)
			if err != nil || got.Platform != tt.choose || got.Identity == "" {
				t.Errorf("%+v, %v, want %s", got, err, tt.choose)
			}
		})
	}
}
