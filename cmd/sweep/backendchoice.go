package main

import (
	"cmp"
	"context"
	"path/filepath"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// resolveBackend finds what --backend means here; a registered sweep stays on its own backend.
func (a *app) resolveBackend(ctx context.Context, info sweep.Info) (backend.Choice, error) {
	want := a.backend
	if info.Backend != "" && want == "auto" {
		want = cmp.Or(info.PluginPath, info.Platform)
		if err := checkPlugin("sweep "+info.Name+" was started", want); err != nil {
			return backend.Choice{}, err
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

// checkPlugin fails where a root, whatever of it was to run on that, names a plug-in that this user does not have.
func checkPlugin(what, want string) error {
	if backend.Known(want) {
		return nil
	}
	return usagef("%s on the plug-in %s, which is not installed here and has never been used here; a plug-in is a program, so it is not "+
		"loaded on a root's word: if you trust it, add --backend %s", what, want, trial.Quote(want))
}

// checkSpec is checkPlugin of an attempt that is to be trained as its folder says. What cannot be read will not be trained.
func checkSpec(dir string) error {
	s, err := trial.ReadAssignment(dir)
	if err != nil {
		return nil //nolint:nilerr // see above
	}
	return checkPlugin(filepath.Join(dir, trial.SpecFile)+" is to be trained", cmp.Or(s.PluginPath, s.Platform))
}
