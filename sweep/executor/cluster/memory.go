package cluster

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/sweep/trial/cause"
)

// A job that outgrows what it asked for is killed. What its trial is expected to use has a margin, and where that did not do, every later
// job of the same kind asks for twice what was too little, so that it happens once.
const (
	memoryFile = "memory-asked.json" // in ROOT/batches: learnt, by kind
	memoryStep = 64 << 20            // what is asked for is a multiple: jobs that ask for as much share a batch
	someMemory = 2 << 30             // taken for what a queue gives that was not asked for any
)

// WithMargin is the memory to ask for where a process is expected to use so much at its peak: a quarter more, and 256 MiB for what is not
// the process's. 0 stays 0.
func WithMargin(expected int64) int64 {
	if expected == 0 {
		return 0
	}
	return stepUp(expected + expected/4 + 256<<20)
}

func stepUp(bytes int64) int64 { return (bytes + memoryStep - 1) / memoryStep * memoryStep }

// learnt is memory-asked.json: how much was too little, by kind.
type learnt struct {
	Outgrown map[string]int64 `json:"outgrown"`
}

// kindOf names what assignments have in common that need much the same memory: all but the rank.
func kindOf(a trial.Assignment) string {
	a.Trial.Spec.LoRA.Rank, a.Cores, a.Device = 1, nil, 0
	return fmt.Sprintf("%x", sha256.Sum256([]byte(a.Kind())))[:16]
}

// asked is what the job of an attempt would ask for, had nothing been learnt.
func (e *Executor) asked(a trial.Assignment) (r Request) {
	if e.Ask != nil {
		r = e.Ask(a)
	}
	return r
}

// request is what the job of an attempt asks for.
func (e *Executor) request(a trial.Assignment) Request {
	r := e.asked(a)
	l, err := e.learnt()
	if err != nil {
		e.warn("read "+memoryFile, err)
	}
	if outgrown := l.Outgrown[kindOf(a)]; outgrown > 0 {
		r.Memory = max(r.Memory, stepUp(2*outgrown))
	}
	if e.MemoryMax > 0 {
		r.Memory = min(r.Memory, e.MemoryMax)
	}
	return r
}

func (e *Executor) memoryPath() string { return filepath.Join(e.Root, batchesFolder, memoryFile) }

func (e *Executor) learnt() (l learnt, err error) {
	err = trial.ReadSealed(e.memoryPath(), &l)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return l, err
}

// learn takes note of how much memory was too little for an attempt that is over.
func (e *Executor) learn(a *attempt) {
	if a.sight.ended {
		return
	}
	p := a.ending(e.Root)
	c, _ := cause.Of(cause.Evidence{Exit: p.Exit, OOMKilled: p.OutOfMemory, Reason: p.Reason, Stderr: p.Stderr})
	if c != cause.Memory || e.MemoryMax > 0 && a.job.Memory >= e.MemoryMax {
		return
	}
	a.process.AskedTooLittle = true
	if err := e.keep(a); err != nil {
		e.warn("keep how much memory was too little", err)
	}
}

// peak is what the attempt's worker was last seen to use.
func (e *Executor) peak(a *attempt) (bytes int64) {
	events, _ := e.events.Events(e.Root, a.id, 0) // what can be read of them
	for _, ev := range events {
		if ev.Memory != nil && ev.Memory.PeakHostBytes != nil {
			bytes = max(bytes, *ev.Memory.PeakHostBytes)
		}
		if ev.Prediction != nil {
			bytes = max(bytes, ev.Prediction.PredictedBytes)
		}
	}
	return bytes
}

func (e *Executor) keep(a *attempt) error {
	assignment, err := trial.ReadAssignment(a.dir)
	if err != nil {
		return err
	}
	l, err := e.learnt()
	if err != nil && !errors.Is(err, trial.ErrDamaged) {
		return err
	}
	if l.Outgrown == nil {
		l.Outgrown = map[string]int64{}
	}
	kind, asked := kindOf(assignment), a.job.Memory
	if asked == 0 { // the queue's default was too little, whatever that is
		asked = max(someMemory, assignment.ExpectedBytes, e.peak(a))
	}
	if asked <= l.Outgrown[kind] {
		return nil
	}
	l.Outgrown[kind] = asked
	e.act()
	return trial.WriteSealed(e.memoryPath(), l)
}
