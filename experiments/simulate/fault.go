package main

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// kind is a way in which things go wrong.
type kind string

// The kinds. Those of the first group end the coordinator.
const (
	killBefore   kind = "kill the coordinator before a call to the store"
	killAfter    kind = "kill the coordinator after a call to the store"
	killInside   kind = "kill the coordinator inside a disk operation"
	killWaiting  kind = "kill the coordinator while it waits"
	killLosing   kind = "kill the coordinator and lose the database"
	powerCall    kind = "cut the power after a call to the store"
	powerInside  kind = "cut the power inside a disk operation"
	powerWaiting kind = "cut the power while the coordinator waits"
	lyingDisk    kind = "let syncs lie, then cut the power"
	fullDisk     kind = "fill the disk for a while"
	brokenDisk   kind = "fail a disk operation"
	probeFails   kind = "fail a probe"
	interrupt    kind = "interrupt the coordinator"
	freeze       kind = "freeze the coordinator at a call to the store"
	freezeGroup  kind = "freeze the coordinator and the workers at a call to the store"
	freezeLosing kind = "freeze the coordinator until another host has its lease"

	clockJumps    kind = "let the time of day jump"
	workerDies    kind = "kill a worker"
	workersDie    kind = "kill all workers"
	workerCrash   kind = "let a worker vanish after some events"
	workerHangs   kind = "let a worker hang after some events"
	workerDawdles kind = "let a worker look busy and never end" // where limits.trial_time ends it
	trialFails    kind = "let a trial fail, which a person retries"
	workerDeaf    kind = "let a worker ignore requests to end"
	workerFrozen  kind = "freeze a worker"
	notStarted    kind = "start nothing and say it was started"
	lostReply     kind = "start a worker and say it was not"
	startFails    kind = "fail a start"
	readFails     kind = "fail to read events"
	readsLate     kind = "show events late for a while"
	probesLate    kind = "show exited workers as living for a while"
	stopLost      kind = "lose a request to stop"
	stopFails     kind = "fail a request to stop"
	secondOnHost  kind = "run a second coordinator on the same host"
	secondHost    kind = "run a second coordinator on another host"

	memoryPeaks kind = "a worker reaches its peak" // follows a start where memory is short

	personPauses  kind = "pause the sweep from a second terminal, for a while"
	personResumes kind = "resume the paused sweep"                      // follows personPauses
	personRetries kind = "retry what has failed from a second terminal" // follows what loses trials
	personExtends kind = "extend the sweep from a second terminal"      // in worlds that begin with a smaller grid
	personCancels kind = "cancel the sweep from a second terminal"

	rivalOnA kind = "another host's coordinator starts on a" // follows freezeLosing
	rivalOnB kind = "another host's coordinator starts on b"
)

// fault is one thing that goes wrong: at a call, an operation, or a moment, whichever its kind counts.
type fault struct {
	kind kind
	n    int           // the so manieth, from 1
	at   time.Duration // since the beginning
	size time.Duration // how long, or how far
	lost int           // events that go with a worker
}

func (f fault) String() string {
	return fmt.Sprintf("%s (number %d, at %v, for %v, losing %d)", f.kind, f.n, f.at, f.size, f.lost)
}

// perThousand is how often a kind is drawn.
type perThousand struct {
	kind kind
	n    int
}

func kinds() []perThousand {
	return []perThousand{
		{killBefore, 70},
		{killAfter, 90},
		{killInside, 100},
		{killWaiting, 40},
		{killLosing, 30},
		{powerCall, 60},
		{powerInside, 90},
		{powerWaiting, 30},
		{lyingDisk, 50},
		{fullDisk, 30},
		{brokenDisk, 50},
		{probeFails, 20},
		{interrupt, 40},
		{freeze, 20},
		{freezeLosing, 30},
		{freezeGroup, 20},
		{clockJumps, 40},
		{workerDies, 30},
		{workersDie, 20},
		{workerCrash, 40},
		{workerHangs, 30},
		{workerDawdles, 30},
		{trialFails, 40},
		{workerDeaf, 10},
		{workerFrozen, 20},
		{notStarted, 25},
		{lostReply, 25},
		{startFails, 25},
		{readFails, 20},
		{readsLate, 20},
		{probesLate, 20},
		{stopLost, 10},
		{stopFails, 10},
		{secondOnHost, 1},
		{secondHost, 20},
		{personPauses, 30},
		{personCancels, 30},
	}
}

// drawFaults draws up to three things that go wrong where the calm history had something to disturb, or a little later.
func drawFaults(r *rand.Rand, calm tally) []fault {
	all := kinds()
	total := 0
	for _, k := range all {
		total += k.n
	}
	faults := make([]fault, 1+r.IntN(3))
	for i := range faults {
		f := &faults[i]
		at := r.IntN(total)
		for _, k := range all {
			if at -= k.n; at < 0 {
				f.kind = k.kind
				break
			}
		}
		f.at = time.Duration(r.Int64N(int64(calm.took*5/4) + 1))
		f.size = time.Duration(r.Int64N(int64(20 * time.Second)))
		f.lost = r.IntN(3)
		f.n = 1 + r.IntN(f.kind.countable(calm)*5/4+1)
		switch f.kind {
		case clockJumps:
			f.size = time.Duration(r.Int64N(int64(48*time.Hour))) - 24*time.Hour
		case personPauses: // far longer than a lease lasts without a heartbeat
			f.size *= 5
		case freezeLosing:
			f.size += time.Minute
		case freezeGroup:
			f.size += 32 * time.Second // longer than a worker may be silent, shorter than another host's coordinator waits and then listens
		default:
		}
	}
	return faults
}

// cutsPower reports whether what was not synced may be lost.
func (k kind) cutsPower() bool {
	return k == powerCall || k == powerInside || k == powerWaiting || k == lyingDisk
}

// countable is how many there were of what the kind counts.
func (k kind) countable(t tally) int {
	switch k {
	case killBefore, killAfter, powerCall, freeze, freezeLosing, freezeGroup:
		return t.calls
	case killInside, powerInside, brokenDisk, lyingDisk:
		return t.ops
	case probeFails:
		return t.probes
	case workerCrash, workerHangs, workerDawdles, trialFails, workerDeaf, notStarted, lostReply, startFails:
		return t.starts
	case readFails:
		return t.reads
	case stopLost, stopFails:
		return t.stops
	default:
		return 1
	}
}
