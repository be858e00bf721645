package main

import (
	"fmt"
	"os"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/executor/local"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// executorLocal runs trials as processes of this machine.
const executorLocal = "local"

// executors are the values of --executor, the default first.
var executors = []string{executorLocal} //nolint:gochecknoglobals // a constant list

// newExecutor is the one place that chooses where trials run: attempts live below root, jobs of them at the same time.
func (a *app) newExecutor(root string, jobs int, platform string) (sweep.Executor, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	switch a.executor {
	case executorLocal:
		return &local.Executor{
			Root: root, Command: []string{self, "worker"},
			Slots: local.Slots(local.Cores(), jobs), DevicePerSlot: trial.OnDevice(platform),
		}, nil
	default:
		return nil, fmt.Errorf("no executor %q", a.executor)
	}
}
