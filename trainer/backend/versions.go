package backend

import (
	"runtime"
	"runtime/debug"
	"strings"
)

// Versions returns the versions of what computes: go, program, gomlx, go-xla, compute and go-huggingface. A module that
// is not linked in is absent.
func Versions() map[string]string {
	v := map[string]string{"go": runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v["program"] = info.Main.Version
	for _, m := range info.Deps {
		if name, ok := strings.CutPrefix(m.Path, "github.com/gomlx/"); ok && !strings.Contains(name, "/") {
			if m.Replace != nil {
				m = m.Replace
			}
			v[name] = m.Version
		}
	}
	return v
}
