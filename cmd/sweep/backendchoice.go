package main

import (
	"context"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// resolveBackend finds what --backend means here; a registered sweep stays on its own backend.
func (a *app) resolveBackend(ctx context.Context, info sweep.Info) (backend.Choice, error) {
	want := a.backend
	if info.Backend != "" && want == "auto" {
		want = info.Platform
		if info.PluginPath != "" {
			want = info.PluginPath
		}
	}
	choice, err := backend.Resolve(ctx, want)
	if err != nil {
		return choice, err
	}
	if choice.Notice != "" {
		a.say("%s", choice.Notice)
	}
	if info.Backend != "" && info.Backend != choice.Identity {
		return choice, usagef("sweep %s was started on backend %q; this one is %q. Two plug-ins round differently, and a ladder must compare "+
			"ranks, not rounding: resume it on its own backend, or run the grid under another name",
			info.Name, info.Backend, choice.Identity)
	}
	return choice, nil
}
