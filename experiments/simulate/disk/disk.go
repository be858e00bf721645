package disk

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
)

const sector = 512 // bytes that are written whole or not at all

// Op is what changes a file.
type Op int

// The operations that can be disturbed.
const (
	Write Op = iota
	Truncate
	Sync
	Remove
	Create
)

// Fault is how an operation goes wrong.
type Fault int

// The faults.
const (
	None Fault = iota
	Full       // no space is left
	IO         // the disk does not answer
	Lie        // a sync that returns at once and keeps nothing
	Kill       // the process dies in the middle of it
)

// Disk holds files in memory: what processes see of them, and what a power cut would leave.
type Disk struct {
	// Faults says how the next operation goes; nil means well. It must not touch the disk.
	Faults func(Op) Fault
	// Safe says that the power will not go: what it would leave is not kept.
	Safe bool

	mu    sync.Mutex
	files map[string]*file
	rng   *rand.Rand
}

// New returns a disk that holds these files, safely.
func New(files map[string][]byte, rng *rand.Rand) *Disk {
	d := &Disk{files: map[string]*file{}, rng: rng}
	for name, data := range files {
		d.files[name] = &file{data: slices.Clone(data), durable: slices.Clone(data), kept: true}
	}
	return d
}

// Files returns what processes see.
func (d *Disk) Files() map[string][]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	files := map[string][]byte{}
	for name, f := range d.files {
		files[name] = slices.Clone(f.data)
	}
	return files
}

// PowerCut leaves on the disk what was synced, and of what was written since some of the sectors. Its processes must be dead.
func (d *Disk) PowerCut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	how := survival(d.rng.IntN(4))
	for _, name := range slices.Sorted(maps.Keys(d.files)) {
		f := d.files[name]
		any := f.cut(how, d.rng)
		if !f.kept && !any {
			delete(d.files, name)
		}
		f.kept, f.shm = true, nil
	}
}

// survival is what a power cut leaves of writes that were not synced.
type survival int

const (
	nothing    survival = iota
	everything          // it came late
	inOrder             // up to one of them, which is torn
	anyOrder            // some sectors of each
)

type file struct {
	data    []byte // as processes see it
	durable []byte // as of the last sync that was none of the disk's lies
	kept    bool   // its name is durable
	pending []change
	locks   []*handle // that are open
	shm     *shm
}

// change is a write, or a new size where data is nil.
type change struct {
	at   int64
	data []byte
}

func (c change) apply(to []byte) []byte {
	if c.data == nil {
		return resize(to, c.at)
	}
	if end := c.at + int64(len(c.data)); end > int64(len(to)) {
		to = resize(to, end)
	}
	copy(to[c.at:], c.data)
	return to
}

func resize(b []byte, size int64) []byte {
	if size <= int64(len(b)) {
		return b[:size]
	}
	old := len(b)
	if size > int64(cap(b)) {
		b = append(make([]byte, 0, 2*size), b...)
	}
	b = b[:size]
	clear(b[old:])
	return b
}

// sectors are the parts of a change that survive alone.
func (c change) sectors() []change {
	if c.data == nil {
		return []change{c}
	}
	var parts []change
	for at, data := c.at, c.data; len(data) > 0; {
		n := min(len(data), sector-int(at%sector))
		parts = append(parts, change{at, data[:n]})
		at, data = at+int64(n), data[n:]
	}
	return parts
}

// cut makes the file what a power cut leaves, and reports whether anything of what was pending is in it.
func (f *file) cut(how survival, rng *rand.Rand) (any bool) {
	for i, c := range f.pending {
		parts := c.sectors()
		switch how {
		case nothing:
			parts = nil
		case everything:
		case inOrder:
			if i > 0 && rng.IntN(len(f.pending)) == 0 {
				f.pending, how = nil, nothing
				parts = parts[:rng.IntN(len(parts)+1)]
			}
		case anyOrder:
			parts = slices.DeleteFunc(parts, func(change) bool { return rng.IntN(2) == 0 })
		}
		for _, p := range parts {
			f.durable, any = p.apply(f.durable), true
		}
	}
	f.data, f.pending = bytes.Clone(f.durable), nil
	return any
}

// Process opens the files of a disk.
type Process struct {
	disk    *Disk
	dead    bool
	handles []*handle
}

// NewProcess returns one that lives.
func (d *Disk) NewProcess() *Process { return &Process{disk: d} }

// Kill ends it: what it wrote stays, its locks are free, and whatever is still asked in its name fails.
func (p *Process) Kill() {
	p.disk.mu.Lock()
	defer p.disk.mu.Unlock()
	p.kill()
}

// Dead reports whether it was killed.
func (p *Process) Dead() bool {
	p.disk.mu.Lock()
	defer p.disk.mu.Unlock()
	return p.dead
}

func (p *Process) kill() {
	p.dead = true
	for _, h := range p.handles {
		h.level = 0
		if h.shm != nil {
			h.shmRelease()
		}
	}
}

// disturb returns the answer to an operation that goes wrong, killing the process where that is how.
func (p *Process) disturb(op Op) (answer int, fault Fault) {
	if p.dead {
		return answerIO, IO
	}
	if p.disk.Faults == nil {
		return answerOK, None
	}
	switch fault = p.disk.Faults(op); fault {
	case Full:
		return answerFull, fault
	case Kill:
		if op == Create || op == Remove { // the others die in the middle
			p.kill()
		}
		return answerIO, fault
	case IO:
		return answerIO, fault
	case None, Lie:
	}
	return answerOK, fault
}

func (p *Process) open(name string, create bool) (*handle, int) {
	p.disk.mu.Lock()
	defer p.disk.mu.Unlock()
	if p.dead {
		return nil, answerIO
	}
	f := p.disk.files[name]
	if f == nil {
		if !create {
			return nil, answerCantOpen
		}
		if rc, _ := p.disturb(Create); rc != answerOK {
			return nil, answerCantOpen
		}
		f = &file{}
		p.disk.files[name] = f
	}
	h := &handle{file: f, process: p}
	f.locks, p.handles = append(f.locks, h), append(p.handles, h)
	return h, answerOK
}

func (p *Process) remove(name string) int {
	p.disk.mu.Lock()
	defer p.disk.mu.Unlock()
	if p.disk.files[name] == nil {
		return answerNoEntry
	}
	if rc, _ := p.disturb(Remove); rc != answerOK {
		return rc
	}
	delete(p.disk.files, name)
	return answerOK
}

func (p *Process) exists(name string) bool {
	p.disk.mu.Lock()
	defer p.disk.mu.Unlock()
	f := p.disk.files[name]
	return f != nil && len(f.data) > 0
}

// handle is an open file.
type handle struct {
	file      *file
	process   *Process
	level     int // of its lock on the file
	shm       *shm
	shmShared int // bits of the slots that it shares
}

func (h *handle) close() {
	h.shmUnmap()
	h.process.disk.mu.Lock()
	defer h.process.disk.mu.Unlock()
	same := func(o *handle) bool { return o == h }
	h.file.locks = slices.DeleteFunc(h.file.locks, same)
	h.process.handles = slices.DeleteFunc(h.process.handles, same)
}

func (h *handle) read(to []byte, at int64) int {
	h.process.disk.mu.Lock()
	defer h.process.disk.mu.Unlock()
	if h.process.dead {
		return answerIO
	}
	n := 0
	if at < int64(len(h.file.data)) {
		n = copy(to, h.file.data[at:])
	}
	if n < len(to) {
		clear(to[n:])
		return answerShort
	}
	return answerOK
}

func (h *handle) write(data []byte, at int64) int {
	h.process.disk.mu.Lock()
	defer h.process.disk.mu.Unlock()
	rc, fault := h.process.disturb(Write)
	c := change{at, data}
	switch fault {
	case Kill:
		parts := c.sectors()
		for _, p := range parts[:h.process.disk.rng.IntN(len(parts)+1)] {
			h.change(p)
		}
		h.process.kill()
	case None, Lie:
		h.change(c)
	case Full, IO:
	}
	return rc
}

func (h *handle) truncate(size int64) int {
	h.process.disk.mu.Lock()
	defer h.process.disk.mu.Unlock()
	rc, fault := h.process.disturb(Truncate)
	switch fault {
	case Kill:
		h.process.kill()
	case None, Lie:
		h.change(change{at: size})
	case Full, IO:
	}
	return rc
}

func (h *handle) change(c change) {
	h.file.data = c.apply(h.file.data)
	if h.process.disk.Safe {
		return
	}
	c.data = bytes.Clone(c.data)
	h.file.pending = append(h.file.pending, c)
}

func (h *handle) sync() int {
	h.process.disk.mu.Lock()
	defer h.process.disk.mu.Unlock()
	rc, fault := h.process.disturb(Sync)
	switch fault {
	case Kill:
		h.process.kill()
	case None:
		for _, c := range h.file.pending {
			h.file.durable = c.apply(h.file.durable)
		}
		h.file.pending, h.file.kept = h.file.pending[:0], true
	case Lie, Full, IO:
	}
	return rc
}

func (h *handle) size() (int64, int) {
	h.process.disk.mu.Lock()
	defer h.process.disk.mu.Unlock()
	if h.process.dead {
		return 0, answerIO
	}
	return int64(len(h.file.data)), answerOK
}
