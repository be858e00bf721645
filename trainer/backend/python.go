package backend

import (
	"os"
	"os/exec"
	"path/filepath"
)

// pythonSites lists the folders of the Python environment in use where packages lie, the most specific first: of VIRTUAL_ENV, of
// CONDA_PREFIX, and of the python3 on PATH, which is looked at and never run (a shim of pyenv therefore leads nowhere), with the
// user's own packages.
func pythonSites() []string {
	var prefixes []string
	for _, env := range []string{"VIRTUAL_ENV", "CONDA_PREFIX"} {
		if dir := os.Getenv(env); filepath.IsAbs(dir) {
			prefixes = append(prefixes, dir)
		}
	}
	if python, err := exec.LookPath("python3"); err == nil {
		prefixes = append(prefixes, filepath.Dir(filepath.Dir(python)))
		if real, err := filepath.EvalSymlinks(python); err == nil {
			prefixes = append(prefixes, filepath.Dir(filepath.Dir(real)))
		}
	}
	if home, err := os.UserHomeDir(); err == nil {
		prefixes = append(prefixes, filepath.Join(home, ".local"))
	}
	var sites []string
	for _, prefix := range prefixes {
		for _, pattern := range []string{"lib/python3*/site-packages", "local/lib/python3*/dist-packages", "lib/python3*/dist-packages"} {
			sites = append(sites, glob(filepath.Join(prefix, pattern))...)
		}
	}
	return sites
}

// sitePlugins lists the CUDA plug-ins of a folder of Python packages: pip puts JAX's there.
func sitePlugins(site string) []string {
	return glob(filepath.Join(site, "jax_plugins", "xla_cuda*", "xla_cuda_plugin.so"))
}

// glob lists the files that fit. A pattern that is none, for a bracket in a folder's name, fits nothing.
func glob(pattern string) []string {
	files, err := filepath.Glob(pattern)
	if err != nil {
		return nil
	}
	return files
}
