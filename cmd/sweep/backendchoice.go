package main

import (
	"cmp"
	"context"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// resolveBackend finds what --backend means here; a registered sweep stays on its own backend.
func (a *app) resolveBackend(ctx context.Context, info sweep.Info) (backend.Choice, error) {
	want := a.backend
	if info.Backend != "" && want == "auto" {
		want = cmp.Or(info.PluginPath, info.Platform)
		if info.PluginPath != "" && !backend.Known(want) {
			return backend.Choice{}, usagef("sweep %s was started on the plug-in %s, which is not installed here and has never been used here; "+
				"a plug-in is a program, so it is not loaded on a database's word: if you trust it, add --backend %s", info.Name, want, want)
		}
	}
	resolve := backend.Resolve
	if a.executor.cluster != nil {
		resolve = backend.ResolveElsewhere
		if want == "auto" && a.executor.cluster.asksForGPUs {
			want = backend.PlatformCUDA
		}
	}
	choice, err := resolve(ctx, want)
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
