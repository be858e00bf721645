package sweep

import "errors"

// ErrExtended says that a person gave a sweep another grid, which its coordinator has to register before it goes on.
var ErrExtended = errors.New("the sweep's grid was extended")

// RequestKind is what a person asks of a sweep, also of one that a coordinator works on. Requests are facts: who asks appends one, and
// the coordinator takes it from the next snapshot.
type RequestKind string

// The kinds of requests. The newer of pause and resume counts.
const (
	RequestPause  RequestKind = "pause"  // start nothing new
	RequestResume RequestKind = "resume" // go on
	RequestCancel RequestKind = "cancel" // the session that holds the lease checkpoints and ends
	RequestRetry  RequestKind = "retry"  // fresh attempts for a trial that ended without a loss
)

// Asked is what the requests of a sweep amount to.
type Asked struct {
	Paused    bool
	Cancelled bool  // the newest session is to end, or was asked to
	Grid      int64 // a grid that waits to be registered; 0: none
	Given     int64 // the newest grid, whether it waits or not; 0: none
	Last      int64 // the newest request; 0: none
}

// AskedAgain reports whether a person asked for fresh attempts and none was begun yet.
func (t *TrialFacts) AskedAgain() bool {
	n := len(t.Attempts)
	return n > 0 && t.Retried >= t.Attempts[n-1].Number && !t.State().Over()
}

// Retryable reports whether fresh attempts may give the trial a loss. A loss that is not finite comes again wherever the same is
// computed again.
func (t *TrialFacts) Retryable() bool {
	state := t.State()
	return state.Lost() && state != TrialUnstable
}
