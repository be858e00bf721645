package backend

import "fmt"

// wheel is one exact file of the Python package index, and the plug-in inside it.
type wheel struct {
	project, version           string
	sha256                     string // of the wheel
	plugin                     string // file name inside the wheel
	pluginSHA256               string
	goos, goarch, requirements string
}

// pinnedWheel is the CPU plug-in that is fetched where go-xla's own release cannot be reached: XLA of jaxlib 0.11.2, the
// fastest of the three wheels that hold one (measured, experiments/LOG.md 2026-11-23).
func pinnedWheel() wheel {
	return wheel{
		project: "lammps-jax-pjrt-cpu", version: "0.11.2",
		sha256:       "1319390d948b39f69f7dade496b7c385149d9ca6097a6b62114da113216d9ad1",
		plugin:       "pjrt_c_api_cpu_plugin.so",
		pluginSHA256: "ad1309ac822b1b24d51b7f9947c7c9fa9ef5d67f390584cbc3d1fa2428fed9c2",
		goos:         "linux", goarch: "amd64", requirements: "glibc 2.27 or newer",
	}
}

func (w wheel) String() string { return fmt.Sprintf("%s %s", w.project, w.version) }
