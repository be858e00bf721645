package disk

import (
	"slices"
	"unsafe"
)

// shm is the memory that the connections of one database share in WAL mode, with its locks. It goes with the last living process that
// has it mapped: what a power cut or a kill of all leaves of it is not trusted, as the unix file system sees to by a lock of its own.
type shm struct {
	regions []unsafe.Pointer
	handles []*handle // that have it mapped, those of dead processes among them
	shared  [shmSlots]int
	taken   [shmSlots]*handle
}

const shmSlots = 8

// What SQLite asks of a lock there.
const (
	shmUnlock = 1
	shmShared = 4
)

func (h *handle) shmMap(region, size int, extend bool) (unsafe.Pointer, int) {
	h.process.disk.mu.Lock()
	defer h.process.disk.mu.Unlock()
	if h.process.dead {
		return nil, answerIO
	}
	if h.shm == nil {
		s := h.file.shm
		if s == nil || !slices.ContainsFunc(s.handles, func(o *handle) bool { return !o.process.dead }) {
			s = &shm{}
			h.file.shm = s
		}
		s.handles = append(s.handles, h)
		h.shm = s
	}
	for len(h.shm.regions) <= region {
		if !extend {
			return nil, answerOK
		}
		h.shm.regions = append(h.shm.regions, allocate(size))
	}
	return h.shm.regions[region], answerOK
}

func (h *handle) shmLock(at, n, flags int) int {
	h.process.disk.mu.Lock()
	defer h.process.disk.mu.Unlock()
	if h.process.dead || h.shm == nil {
		return answerIO
	}
	s := h.shm
	for i := at; i < at+n; i++ {
		other := s.taken[i] != nil && s.taken[i] != h
		switch {
		case flags&shmUnlock != 0:
		case flags&shmShared != 0 && other:
			return answerBusy
		case flags&shmShared == 0 && (other || s.shared[i] > 0 && (s.shared[i] > 1 || h.shmShared&(1<<i) == 0)):
			return answerBusy
		}
	}
	for i := at; i < at+n; i++ {
		h.shmSet(i, flags)
	}
	return answerOK
}

// shmSet takes or gives back one lock that is free to be taken.
func (h *handle) shmSet(i, flags int) {
	s, bit := h.shm, 1<<i
	switch {
	case flags&shmUnlock != 0:
		if s.taken[i] == h {
			s.taken[i] = nil
		}
		if h.shmShared&bit != 0 {
			h.shmShared &^= bit
			s.shared[i]--
		}
	case flags&shmShared != 0:
		if h.shmShared&bit == 0 {
			h.shmShared |= bit
			s.shared[i]++
		}
	default:
		s.taken[i] = h
	}
}

func (h *handle) shmUnmap() {
	h.process.disk.mu.Lock()
	defer h.process.disk.mu.Unlock()
	s := h.shm
	if s == nil {
		return
	}
	h.shmRelease()
	h.shm = nil
	s.handles = slices.DeleteFunc(s.handles, func(o *handle) bool { return o == h })
	if len(s.handles) > 0 {
		return
	}
	for _, p := range s.regions {
		free(p)
	}
	if h.file.shm == s {
		h.file.shm = nil
	}
}

func (h *handle) shmRelease() {
	for i := range shmSlots {
		h.shmSet(i, shmUnlock)
	}
}
