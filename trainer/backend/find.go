package backend

import (
	"os"
	"path/filepath"
	"regexp"

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

// pluginsIn lists the plug-ins of one folder by name. A folder that cannot be read has none.
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
	}
	return found
}
