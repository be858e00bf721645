package data

import (
	"cmp"
	"container/heap"
)

// longPiece is the length from which a heap finds the next merge faster than a scan. Nearly every piece is shorter; the
// heap is there for a megabyte without a space.
const longPiece = 64

// mergeAll merges the pair that was learnt first, the leftmost of equals, until none is left (Sennrich et al. 2016), within
// ids. It returns how many ids remain.
func (t *Tokenizer) mergeAll(ids []int32) int {
	if len(ids) > longPiece {
		return t.mergeLong(ids)
	}
	return t.mergeShort(ids)
}

func (t *Tokenizer) mergeShort(ids []int32) int {
	for {
		at, best := -1, merge{}
		for i := range len(ids) - 1 {
			if m, ok := t.merges[pair{ids[i], ids[i+1]}]; ok && (at < 0 || m.rank < best.rank) {
				at, best = i, m
			}
		}
		if at < 0 {
			return len(ids)
		}
		ids[at] = best.id
		ids = append(ids[:at+1], ids[at+2:]...)
	}
}

// mergeLong does the same in time n·log n: ids become a linked list, and a heap holds the merges that were possible when
// they were pushed.
func (t *Tokenizer) mergeLong(ids []int32) int {
	l := mergeList{merges: t.merges, ids: ids, next: make([]int, len(ids)), previous: make([]int, len(ids))}
	for i := range ids {
		l.next[i], l.previous[i] = i+1, i-1
	}
	for i := range ids {
		l.consider(i)
	}
	for l.queue.Len() > 0 {
		l.apply(heap.Pop(&l.queue).(candidate))
	}
	n := 0
	for i := 0; i < len(ids); i = l.next[i] {
		ids[n] = ids[i]
		n++
	}
	return n
}

// mergeList is a piece in the making: ids[i] is followed by ids[next[i]].
type mergeList struct {
	merges         map[pair]merge
	ids            []int32
	next, previous []int
	queue          candidates
}

// candidate is a merge of the pair at a position.
type candidate struct {
	merge
	pair
	at int
}

// consider queues the merge of the id at i with the one that follows, if there is one.
func (l *mergeList) consider(i int) {
	if i < 0 || l.next[i] >= len(l.ids) {
		return
	}
	p := pair{l.ids[i], l.ids[l.next[i]]}
	if m, ok := l.merges[p]; ok {
		heap.Push(&l.queue, candidate{m, p, i})
	}
}

// apply carries out a merge unless another has taken one of its sides.
func (l *mergeList) apply(c candidate) {
	right := l.next[c.at]
	if right >= len(l.ids) || (pair{l.ids[c.at], l.ids[right]}) != c.pair {
		return
	}
	l.ids[c.at], l.ids[right] = c.id, goneID
	l.next[c.at] = l.next[right]
	if l.next[c.at] < len(l.ids) {
		l.previous[l.next[c.at]] = c.at
	}
	l.consider(l.previous[c.at])
	l.consider(c.at)
}

// goneID marks an id that was merged into the one before.
const goneID = -1

// candidates is a heap with the merge learnt first on top, of equals the leftmost.
type candidates []candidate

func (q candidates) Len() int      { return len(q) }
func (q candidates) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q candidates) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(q[i].rank, q[j].rank), cmp.Compare(q[i].at, q[j].at)) < 0
}

// Push implements heap.Interface.
func (q *candidates) Push(x any) { *q = append(*q, x.(candidate)) }

// Pop implements heap.Interface.
func (q *candidates) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}
