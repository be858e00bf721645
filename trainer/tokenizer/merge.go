package tokenizer

// longPiece is the length from which a heap finds the next merge faster than a scan. Nearly every piece is shorter; the
// heap is there for a megabyte without a space.
const longPiece = 64

// mergeAll merges the pair that was learnt first, the leftmost of equals, until none is left (Sennrich et al. 2016), within
// ids. It returns how many ids remain.
func (m *bpeModel) mergeAll(ids []int32) int {
	if len(ids) > longPiece {
		return m.mergeLong(ids)
	}
	return m.mergeShort(ids)
}

func (m *bpeModel) mergeShort(ids []int32) int {
	for {
		at, best := -1, merge{}
		for i := range len(ids) - 1 {
			if next, ok := m.merges[pair{ids[i], ids[i+1]}]; ok && (at < 0 || next.rank < best.rank) {
				at, best = i, next
			}
		}
		if at < 0 {
			return len(ids)
		}
		ids[at] = best.id
		ids = append(ids[:at+1], ids[at+2:]...)
	}
}

// mergeLong does the same in time n·log n: ids become a linked list, and a heap holds the merges that were possible when they were
// pushed. A piece may be a whole file without a space, so that every byte of these counts: they are some 20 for a byte of text.
func (m *bpeModel) mergeLong(ids []int32) int {
	l := mergeList{merges: m.merges, ids: ids, next: make([]int32, len(ids)), previous: make([]int32, len(ids))}
	for i := range ids {
		l.next[i], l.previous[i] = int32(i+1), int32(i-1)
	}
	l.queue = make(candidates, 0, len(ids))
	for i := range ids {
		l.consider(int32(i))
	}
	for len(l.queue) > 0 {
		l.apply(l.queue.pop())
	}
	n := 0
	for i := 0; i < len(ids); i = int(l.next[i]) {
		ids[n] = ids[i]
		n++
	}
	return n
}

// mergeList is a piece in the making: ids[i] is followed by ids[next[i]].
type mergeList struct {
	merges         map[pair]merge
	ids            []int32
	next, previous []int32
	queue          candidates
}

// candidate is the merge of a rank, which one pair alone has, at a position.
type candidate struct{ rank, at int32 }

// mergeAt returns the merge of the id at i with the one that follows, if there is one.
func (l *mergeList) mergeAt(i int32) (merge, bool) {
	if i < 0 || int(l.next[i]) >= len(l.ids) {
		return merge{}, false
	}
	m, ok := l.merges[pair{l.ids[i], l.ids[l.next[i]]}]
	return m, ok
}

// consider queues the merge at i.
func (l *mergeList) consider(i int32) {
	if m, ok := l.mergeAt(i); ok {
		l.queue.push(candidate{m.rank, i})
	}
}

// apply carries out a merge unless another has taken one of its sides.
func (l *mergeList) apply(c candidate) {
	m, ok := l.mergeAt(c.at)
	if !ok || m.rank != c.rank {
		return
	}
	right := l.next[c.at]
	l.ids[c.at], l.ids[right] = m.id, goneID
	l.next[c.at] = l.next[right]
	if int(l.next[c.at]) < len(l.ids) {
		l.previous[l.next[c.at]] = c.at
	}
	l.consider(l.previous[c.at])
	l.consider(c.at)
}

// goneID marks an id that was merged into the one before.
const goneID = -1

// candidates is a heap with the merge learnt first on top; ties go to the leftmost. It is not container/heap's, which would
// allocate every candidate: a megabyte of spaces has a million.
type candidates []candidate

func (q candidates) before(i, j int) bool {
	return q[i].rank < q[j].rank || q[i].rank == q[j].rank && q[i].at < q[j].at
}

func (q *candidates) push(c candidate) {
	*q = append(*q, c)
	h := *q
	for i := len(h) - 1; i > 0; {
		parent := (i - 1) / 2
		if !h.before(i, parent) {
			return
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
}

func (q *candidates) pop() candidate {
	h := *q
	top := h[0]
	h[0] = h[len(h)-1]
	h = h[:len(h)-1]
	*q = h
	for i := 0; ; {
		child := 2*i + 1
		if child >= len(h) {
			return top
		}
		if child+1 < len(h) && h.before(child+1, child) {
			child++
		}
		if !h.before(child, i) {
			return top
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}
