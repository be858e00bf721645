package local

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Slots divides cores evenly among jobs, neighbours together: with more jobs than cores some share one.
func Slots(cores []int, jobs int) [][]int {
	slots := make([][]int, jobs)
	for i := range slots {
		if jobs > len(cores) {
			slots[i] = []int{cores[i%len(cores)]}
			continue
		}
		slots[i] = slices.Clone(cores[i*len(cores)/jobs : (i+1)*len(cores)/jobs])
	}
	return slots
}

// takeSlot gives the assignment the slot that the fewest living workers hold, the first among equals: its cores and, where
// slots are devices, its device. Without slots nothing is pinned.
func (e *Executor) takeSlot(a *trial.Assignment) {
	if len(e.Slots) == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	holders := make([]int, len(e.Slots))
	for other, slot := range e.slots {
		alive, err := trial.WorkerAlive(other.Dir(e.Root))
		if err == nil && !alive {
			delete(e.slots, other)
			continue
		}
		holders[slot]++
	}
	free := slices.Index(holders, slices.Min(holders))
	e.holdSlot(a.Attempt, free)
	a.Cores = e.Slots[free]
	if e.DevicePerSlot {
		a.Device = free
	}
}

// holdSlot notes that the attempt runs on a slot. e.mu is held.
func (e *Executor) holdSlot(id trial.AttemptID, slot int) {
	if e.slots == nil {
		e.slots = map[trial.AttemptID]int{}
	}
	e.slots[id] = slot
}

// adoptSlot learns from its spec.json which slot a worker of an earlier coordinator holds. A worker that was pinned
// otherwise (another number of jobs) holds none.
func (e *Executor) adoptSlot(id trial.AttemptID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, known := e.slots[id]; known || len(e.Slots) == 0 {
		return
	}
	body, err := os.ReadFile(filepath.Join(id.Dir(e.Root), trial.SpecFile))
	if err != nil {
		return // pinning is a matter of speed: a worker whose cores cannot be told shares one at worst
	}
	var a trial.Assignment
	if json.Unmarshal(body, &a) != nil {
		return
	}
	slot := slices.IndexFunc(e.Slots, func(s []int) bool { return slices.Equal(s, a.Cores) })
	if slot >= 0 {
		e.holdSlot(id, slot)
	}
}
