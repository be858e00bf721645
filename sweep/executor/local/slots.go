package local

import (
	"cmp"
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

// takeSlot gives the assignment the slot that the fewest busy workers hold, on the device with the fewest, then one where an idle worker
// waits for it, or else where none waits for another, the first among equals: its cores and its device. Without slots nothing is pinned.
func (e *Executor) takeSlot(a *trial.Assignment) int {
	if len(e.Slots) == 0 {
		return noSlot
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	holders, onDevice := make([]int, len(e.Slots)), make([]int, max(1, e.Devices))
	for other, slot := range e.slots {
		alive, err := trial.WorkerAlive(other.Dir(e.Root))
		if err == nil && !alive {
			delete(e.slots, other)
			continue
		}
		if slot == noSlot {
			continue
		}
		holders[slot]++
		onDevice[e.deviceOf(slot)]++
	}
	awaited := e.awaited(*a)
	free := 0
	for i := range holders {
		if cmp.Or(cmp.Compare(holders[i], holders[free]), cmp.Compare(onDevice[e.deviceOf(i)], onDevice[e.deviceOf(free)]),
			cmp.Compare(awaited[free], awaited[i])) < 0 {
			free = i
		}
	}
	e.holdSlot(a.Attempt, free)
	a.Cores, a.Device = e.Slots[free], e.deviceOf(free)
	return free
}

// awaited says of each slot whether an idle worker could take the assignment there: 1, or -1 where one waits for another kind, or 0.
// e.mu is held.
func (e *Executor) awaited(a trial.Assignment) []int {
	n := make([]int, len(e.Slots))
	for i, cores := range e.Slots {
		a.Cores, a.Device = cores, e.deviceOf(i)
		switch kind := a.Kind(); {
		case slices.ContainsFunc(e.workers, func(w *worker) bool { return w.waits(kind, i) }):
			n[i] = 1
		case slices.ContainsFunc(e.workers, func(w *worker) bool { return w.waits(w.kind, i) }):
			n[i] = -1
		}
	}
	return n
}

// deviceOf is the index of a slot's device; 0 where there is none.
func (e *Executor) deviceOf(slot int) int { return slot % max(1, e.Devices) }

// holdSlot notes that the attempt runs on a slot. e.mu is held.
func (e *Executor) holdSlot(id trial.AttemptID, slot int) {
	if e.slots == nil {
		e.slots = map[trial.AttemptID]int{}
	}
	e.slots[id] = slot
}

// adoptSlot learns from its spec.json which slot a worker of an earlier coordinator holds. A worker that was pinned
// otherwise (another number of jobs) holds none, which is kept too, so that nobody looks again.
func (e *Executor) adoptSlot(id trial.AttemptID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, known := e.slots[id]; known || len(e.Slots) == 0 {
		return
	}
	a, err := trial.ReadAssignment(id.Dir(e.Root))
	if err != nil {
		return // pinning is a matter of speed: a worker whose cores cannot be told shares one at worst
	}
	held := make([]bool, len(e.Slots))
	for _, slot := range e.slots {
		if slot != noSlot {
			held[slot] = true
		}
	}
	adopted := noSlot
	for i, cores := range e.Slots {
		if slices.Equal(cores, a.Cores) && e.deviceOf(i) == a.Device && (adopted == noSlot || held[adopted] && !held[i]) {
			adopted = i
		}
	}
	e.holdSlot(id, adopted)
}
