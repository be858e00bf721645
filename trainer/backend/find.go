package backend

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/gomlx/go-xla/installer"
	"github.com/gomlx/go-xla/pjrt"
)

// pluginFile is what plug-ins are called: pjrt_c_api_cpu_plugin.so, pjrt_c_api_cpu_v0.114.0_plugin.so, pjrt-plugin-cuda.so.
var pluginFile = regexp.MustCompile(`^(?:pjrt_c_api_(.+)_plugin|pjrt[-_]plugin[-_](.+))\.(?:so|dylib)$`)

// findPlugins lists the plug-ins on this machine by name, only by looking at folders. go-xla's own search would load each
// of them into this process, where a broken one aborts the program and one for GPUs takes their memory.
func findPlugins() map[string]string {
	found := map[string]string{}
	for _, dir := range pluginDirs() {
		for name, path := range pluginsIn(dir) {
			if _, ok := found[name]; !ok { // the first folder wins
				found[name] = path
			}
		}
	}
	if _, set := os.LookupEnv(pjrt.PJRTPluginPathsEnv); !set {
		maps.Copy(found, pythonPlugins())
	}
	return found
}

// pythonPlugins lists the CUDA plug-ins of the first folder of Python packages that has any. Their names, cuda@ and a path, sort behind
// those of plug-ins that were installed for this program.
func pythonPlugins() map[string]string {
	found := map[string]string{}
	for _, site := range pythonSites() {
		for _, path := range sitePlugins(site) {
			found["cuda@"+path] = path
		}
		if len(found) > 0 {
			break
		}
	}
	return found
}

// pluginDirs are the folders that go-xla documents: those of PJRT_PLUGIN_LIBRARY_PATH, or else the user's and the
// system's lib/go-xla.
func pluginDirs() []string {
	if set, ok := os.LookupEnv(pjrt.PJRTPluginPathsEnv); ok {
		return filepath.SplitList(set)
	}
	var dirs []string
	if lib, err := installer.DefaultHomeLibPath(); err == nil { // no home directory means no user's folder
		dirs = append(dirs, filepath.Join(lib, "go-xla"), filepath.Join(lib, "go-xla", "nvidia"))
	}
	return append(dirs, "/usr/local/lib/go-xla", "/usr/local/lib/go-xla/nvidia")
}

// pluginsIn lists the plug-ins of one folder by name: files, and what Install makes of wheels, cuda13-0.11.2/jax_plugins/…. A folder that
// cannot be read has none.
func pluginsIn(dir string) map[string]string {
	found := map[string]string{}
	if dir == "" {
		return found
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return found
	}
	for _, e := range entries {
		if m := pluginFile.FindStringSubmatch(e.Name()); m != nil {
			found[m[1]+m[2]] = filepath.Join(dir, e.Name())
		}
		if e.IsDir() && strings.HasPrefix(e.Name(), "cuda") {
			for _, path := range sitePlugins(filepath.Join(dir, e.Name())) {
				found[e.Name()] = path
			}
		}
	}
	return found
}
