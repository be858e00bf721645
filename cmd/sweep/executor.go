package main

import (
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
	name string
	// capacity is what trials may use, given --jobs and how many of them may run at once.
	capacity func(choice backend.Choice, jobs, trials int) (sweep.Capacity, error)
	// open returns the executor whose attempts live below root, jobs of them at the same time.
	open func(root string, jobs int, platform string) (sweep.Executor, error)
}

// executorKinds lists them, the default first.
func executorKinds() []executorKind {
	return []executorKind{{name: "local", capacity: localCapacity, open: openLocal}}
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

// localCapacity is what this machine offers. Jobs default to one per core, as long as there are trials for them: two processes
// on one core each train 1.37 times as many tokens as one on both (measured for a model of 1M parameters). On a GPU platform
// each trial has a GPU of its own, so that device memory needs no bound over trials.
func localCapacity(choice backend.Choice, jobs, trials int) (sweep.Capacity, error) {
	host, err := backend.HostMemory()
	if err != nil {
		return sweep.Capacity{}, err
	}
	most := len(local.Cores())
	if choice.Platform == backend.PlatformCUDA {
		most = len(choice.Devices)
		if jobs > most {
			return sweep.Capacity{}, usagef("--jobs %d: %s has %d devices, and each trial needs one", jobs, choice.Platform, most)
		}
	}
	if jobs == jobsAuto {
		jobs = max(1, min(most, trials))
	}
	return sweep.Capacity{Jobs: jobs, HostBytes: host}, nil
}

// openLocal runs trials as processes of this machine.
func openLocal(root string, jobs int, platform string) (sweep.Executor, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return &local.Executor{
		Root: root, Command: []string{self, "worker"},
		Slots: local.Slots(local.Cores(), jobs), DevicePerSlot: trial.OnDevice(platform),
	}, nil
}
