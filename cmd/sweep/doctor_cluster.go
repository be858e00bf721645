package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/executor/cluster"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// addWork looks at what was run in the root, where nobody works on it: on this machine or another.
func (a *app) addWork(ctx context.Context, d *diagnosis) {
	apart := a.database != "" || store.HasLease(a.root) && !a.hasDatabase()
	err := a.nobodyWorksElsewhere(ctx)
	switch {
	case errors.Is(err, sweep.ErrLocked):
		d.add(finding{Check: "sweeps", State: findingOK, Detail: err.Error() + "; its files are compared when that has ended"})
	case err != nil:
		d.add(finding{"sweeps", findingWarn, "whether jobs of a cluster run is not known: " + err.Error(), "mend what it names, and look again"})
	case apart:
		d.add(finding{
			"database", findingWarn, "it lies apart from its root: the trials' files are looked at, and not compared with it",
			trial.Command(a.root, "resume") + " --database DIR makes it anew where what it says is out of date, or where it is moved away",
		})
		d.addFiles()
	default:
		d.addSweeps(ctx)
	}
}

// nobodyWorksElsewhere fails with sweep.ErrLocked where jobs of a cluster may run, or a database on another disk works on the root: this
// machine's locks tell of neither.
func (a *app) nobodyWorksElsewhere(ctx context.Context) error {
	if a.database != "" {
		if err := store.NobodyWorks(a.database); err != nil {
			return err
		}
	}
	if err := store.RootFree(a.root); err != nil {
		return err
	}
	if a.executor.name == executorNames()[0] {
		return nil
	}
	open, err := a.unended(ctx)
	if err != nil {
		return err
	}
	living, err := a.living(ctx, a.executor, open)
	if err == nil && len(living) > 0 {
		err = fmt.Errorf("%w: a job of a cluster may run attempt %s: take it over with: %s, or end it with: %s", sweep.ErrLocked, living[0],
			a.shell().Command("resume"), a.shell().Command("cancel"))
	}
	return err
}

// unended are the trials' last attempts of whose end their folders do not tell.
func (a *app) unended(ctx context.Context) (open []trial.AttemptID, err error) {
	trials, err := (&cluster.Executor{Root: a.root}).Trials(ctx)
	for _, id := range trials {
		attempts, err := trial.Attempts(a.root, id)
		if err != nil || len(attempts) == 0 {
			continue // no folder, which is another finding
		}
		last := attempts[len(attempts)-1]
		events, _ := trial.ReadFolder(last.Dir(a.root)) // as far as they can be read
		if n := len(events); n == 0 || events[n-1].Kind != trial.EventEnded {
			open = append(open, last)
		}
	}
	return open, errors.Join(err, ctx.Err())
}
