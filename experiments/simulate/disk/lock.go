package disk

// The levels of a lock on a file.
const (
	lockShared    = 1
	lockReserved  = 2
	lockPending   = 3
	lockExclusive = 4
)

func (h *handle) lock(level int) int {
	h.process.disk.mu.Lock()
	defer h.process.disk.mu.Unlock()
	if h.process.dead {
		return answerIO
	}
	if h.level >= level {
		return answerOK
	}
	most := h.others()
	switch {
	case level == lockShared && most >= lockPending, level >= lockReserved && most >= lockReserved:
		return answerBusy
	case level == lockExclusive && most >= lockShared:
		h.level = lockPending
		return answerBusy
	}
	h.level = level
	return answerOK
}

// others is the highest level that another handle holds.
func (h *handle) others() int {
	most := 0
	for _, o := range h.file.locks {
		if o != h {
			most = max(most, o.level)
		}
	}
	return most
}

func (h *handle) unlock(level int) int {
	h.process.disk.mu.Lock()
	defer h.process.disk.mu.Unlock()
	h.level = min(h.level, level)
	return answerOK
}

func (h *handle) reserved() bool {
	h.process.disk.mu.Lock()
	defer h.process.disk.mu.Unlock()
	return max(h.level, h.others()) >= lockReserved
}
