package main

import (
	"context"
	"os"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/executor/local"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// executorKind is a value of --executor: what it offers, and how it runs trials. Nothing else knows which one was chosen.
type executorKind struct {
	name   string
	broken error // why nothing can be done with it
	// capacity is what trials may use, given --jobs and how many of them may run at once.
	capacity func(choice backend.Choice, jobs, trials int) (sweep.Capacity, error)
	// load makes the kind of settings files, where trials run on a cluster: only then are the fields below set, and capacity and open.
	load func(sources []sectionFile, worker []string) (clusterSettings, error)
	// cluster is what its jobs are asked for; nil: trials run on this machine.
	cluster *clusterSettings
	// open returns the executor whose attempts live below root, as many of them at the same time as the capacity says.
	open func(root string, c sweep.Capacity) (sweep.Executor, error)
	// observe returns who tells which of the root's attempts live, those among others, and does nothing else.
	observe func(root string, open []trial.AttemptID) (observer, error)
}

// observer tells whether an attempt's worker lives, as a sweep.Executor does.
type observer interface {
	Probe(ctx context.Context, id trial.AttemptID) (sweep.Process, error)
}

// observeLocal looks for workers on this machine, by their locks.
func observeLocal(root string, _ []trial.AttemptID) (observer, error) {
	return openLocal(root, sweep.Capacity{Jobs: 1})
}

// living are those of the root's open attempts whose workers live, as who looks for them says.
func (a *app) living(ctx context.Context, kind executorKind, open []trial.AttemptID) (living []trial.AttemptID, err error) {
	if len(open) == 0 {
		return nil, nil
	}
	workers, err := kind.observe(a.root, open)
	if err != nil {
		return nil, err
	}
	for _, id := range open {
		process, err := workers.Probe(ctx, id)
		if err != nil {
			return nil, err
		}
		if process.Alive {
			living = append(living, id)
		}
	}
	return living, nil
}

// executorKinds lists them, the default first.
func executorKinds() []executorKind {
	return []executorKind{
		{name: "local", capacity: localCapacity, open: openLocal, observe: observeLocal},
		{name: "slurm", load: slurmKind},
		{name: "ray", load: rayKind},
	}
}

// brokenKind is an executor that nothing can be done with, for that reason.
func brokenKind(name string, err error) executorKind {
	return executorKind{
		name: name, broken: err,
		capacity: func(backend.Choice, int, int) (sweep.Capacity, error) { return sweep.Capacity{}, err },
		open:     func(string, sweep.Capacity) (sweep.Executor, error) { return nil, err },
		observe:  func(string, []trial.AttemptID) (observer, error) { return nil, err },
	}
}

func executorNames() []string {
	var names []string
	for _, k := range executorKinds() {
		names = append(names, k.name)
	}
	return names
}

func parseExecutor(name string) (executorKind, error) {
	kinds := executorKinds()
	i := slices.IndexFunc(kinds, func(k executorKind) bool { return k.name == name })
	if i < 0 {
		return executorKind{}, usagef("--executor %s: want %s", name, strings.Join(executorNames(), ", "))
	}
	return kinds[i], nil
}

// localCapacity is what this machine, or the container, offers. Jobs default to one per core, as long as there are trials for them: two
// processes on one core each train 1.37 times as many tokens as one on both for a model of 1M parameters, and 1.13 times for GPT-2 small.
// On a GPU platform they default to one per GPU; with more, several small trials share one where their memory fits.
func localCapacity(choice backend.Choice, jobs, trials int) (sweep.Capacity, error) {
	host, err := backend.HostMemory()
	if err != nil {
		return sweep.Capacity{}, err
	}
	most, err := localCores()
	if err != nil {
		return sweep.Capacity{}, err
	}
	c := sweep.Capacity{Jobs: jobs, HostBytes: host}
	if trial.OnDevice(choice.Platform) {
		most = len(choice.Devices)
		c.Devices, c.DeviceBytes = most, choice.DeviceBytes
		if jobs > most && c.DeviceBytes == 0 {
			return sweep.Capacity{}, usagef("--jobs %d: %s has %d devices and does not tell how much memory they have, so that each trial needs one",
				jobs, choice.Platform, most)
		}
	}
	if jobs == jobsAuto {
		c.Jobs = max(1, min(most, trials))
	}
	return c, nil
}

// localCores is how many cores' time this process may use: it may run on fewer than the machine has, and its cgroup may limit it further.
func localCores() (int, error) {
	cores := len(local.Cores())
	quota, err := backend.CPUQuota()
	if err != nil || quota == 0 {
		return cores, err
	}
	return min(cores, quota), nil
}

// openLocal runs trials as processes of this machine.
func openLocal(root string, c sweep.Capacity) (sweep.Executor, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return &local.Executor{
		Root: root, Command: []string{self, "worker"}, Env: backend.Environment(os.Environ()),
		Slots: local.Slots(local.Cores(), c.Jobs), Devices: c.Devices,
		HostBytes: c.HostBytes,
	}, nil
}
