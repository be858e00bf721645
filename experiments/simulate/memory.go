package main

import (
	"math/rand/v2"
	"slices"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/sweep/trial/cause"
)

// memory is what the machine has and what is known of who ran out of it. Nobody has measured either: the workers find out.
type memory struct {
	need    map[trial.AttemptID]int64 // of each worker
	early   map[trial.AttemptID]bool  // gone before it reaches its peak
	crowded map[trial.AttemptID]bool  // killed for want of memory while others ran
	alone   map[trial.AttemptID]bool  // nothing may run beside it
	nobodys map[trial.AttemptID]bool  // which sweep began it is lost with the database: its end is not held against its trial
}

// drawMachine draws how much memory the machine has: in some worlds so little that trials cannot run together, or not with whole batches,
// or not at all.
func (w *world) drawMachine(r *rand.Rand, ranks []int) {
	if r.IntN(6) > 0 || w.trainer.Peak != nil {
		return
	}
	w.machine = []int64{7, 10, 22, 32}[r.IntN(4)] * peak(ranks[r.IntN(len(ranks))]) / 10
}

// peak is what a trial takes at its peak with whole batches.
func peak(rank int) int64 { return 100 + 10*int64(rank) }

// needs is what a worker takes. Half a batch takes a little more than half as much.
func needs(a trial.Assignment) int64 {
	whole := peak(a.Trial.Spec.LoRA.Rank)
	if a.MicroBatch > 0 {
		return whole * 6 / 10
	}
	return whole
}

// outgrows cuts a worker's lines short that needs more than the machine has.
func (h *history) outgrows(a trial.Assignment, lines []sweeptest.Line) []sweeptest.Line {
	if h.machine == 0 || needs(a) <= h.machine {
		return lines
	}
	n := slices.IndexFunc(lines, func(l sweeptest.Line) bool { return l.Event.Kind == trial.EventPoint })
	if n < 0 {
		return lines
	}
	return lines[:n]
}

// exit is how a worker ends without a last word.
func (h *history) exit(a trial.Assignment) sweep.Process {
	if h.machine > 0 && needs(a) > h.machine && !h.early[a.Attempt] {
		return outOfMemory
	}
	return sweep.Process{Exit: "exit status 1"}
}

var outOfMemory = sweep.Process{Exit: "signal: killed", OutOfMemory: true} //nolint:gochecknoglobals // a constant

// grow lets a worker that was started reach its peak.
func (h *history) grow(a trial.Assignment) {
	if h.machine > 0 {
		h.need[a.Attempt] = needs(a)
		h.then(memoryPeaks, h.trainer.Boot+h.trainer.StepTime)
	}
}

// killForMemory ends the youngest workers until the others fit into the machine.
func (h *history) killForMemory() {
	for {
		ids, ages := h.fake.Alive()
		var sum int64
		youngest := 0
		for i, id := range ids {
			if sum += h.need[id]; ages[i] < ages[youngest] {
				youngest = i
			}
		}
		if sum <= h.machine || len(ids) < 2 {
			return
		}
		h.note("%s is killed for memory beside %d others", short(ids[youngest]), len(ids)-1)
		h.crowded[ids[youngest]] = true
		h.fake.Die(ids[youngest], outOfMemory, 0)
	}
}

// checkShape holds a launch against what is known of the trial's memory: in company, alone, with half a batch, and not again.
func (h *history) checkShape(c *coordinator, a trial.Assignment, living []trial.AttemptID) {
	var alone, half, over bool
	for id, known := range h.facts {
		if id.Trial() != a.Attempt.Trial() || known.outcome == nil || known.forgiven || h.nobodys[id] {
			continue
		}
		memory := known.outcome.Cause == cause.Memory
		alone = alone || memory || known.outcome.Cause == cause.MemoryShared
		half = half || memory
		over = over || memory && known.outcome.MicroBatch > 0
	}
	h.alone[a.Attempt] = alone
	switch {
	case over:
		h.wrong("%s starts %s, which ran out of memory alone with half a batch", c, short(a.Attempt))
	case half && a.MicroBatch == 0:
		h.wrong("%s starts %s with whole batches, with which it ran out of memory alone", c, short(a.Attempt))
	case alone && len(living) > 0:
		h.wrong("%s starts %s, which ran out of memory, beside %v", c, short(a.Attempt), living)
	}
	for _, id := range living {
		if h.alone[id] {
			h.wrong("%s starts %s beside %s, which ran out of memory", c, short(a.Attempt), short(id))
		}
	}
}
