package cluster

import (
	"context"
	"time"
)

// answerWithin is how long the coordinator waits for an answer of the queue. A later one is taken in when it is there.
const answerWithin = time.Second

// call is a call of the queue that may take longer than the coordinator waits. There is one of a kind at a time.
type call struct {
	done chan struct{}
	take func(ctx context.Context) // takes in the answer
}

// begin makes a call by another goroutine, which touches nothing of the executor's, and waits for it a little. What follows from the answer
// is done by take, under the lock.
func (e *Executor) begin(ctx context.Context, slot **call, do func(), take func(context.Context)) {
	c := &call{done: make(chan struct{}), take: take}
	*slot = c
	e.calls.Go(func() {
		defer close(c.done)
		do()
	})
	late := time.NewTimer(answerWithin)
	defer late.Stop()
	select {
	case <-c.done:
	case <-late.C:
		if e.Observing { // it has nothing else to do
			<-c.done
		}
	}
	e.settled(ctx, slot)
}

// settled reports whether no call of the kind is under way, after it has taken in the answer of one that is over.
func (e *Executor) settled(ctx context.Context, slot **call) bool {
	c := *slot
	if c == nil {
		return true
	}
	select {
	case <-c.done:
		*slot = nil
		c.take(ctx)
		return *slot == nil
	default:
		return false
	}
}
