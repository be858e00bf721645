package cluster

import (
	"fmt"
	"strings"
	"time"
)

// sight is what is known of an attempt at one moment: what its folder shows, and the queue's last word on its job.
type sight struct {
	claimed bool   // a worker has it
	ended   bool   // its last word can be read
	exit    string // the file exit; empty while there is none
	foreign bool   // another executor's worker has it, on this machine, and
	held    bool   // holds its event log

	handed bool // its batch is known: job.json
	heard  bool // the queue has answered since the batch was handed in
	found  bool // the queue knows its job
	job    Job  // as it was last heard of
}

// finding is what a sight means.
type finding struct {
	// over names what shows that the attempt is over, once it has been so for patience and nothing has moved in its folder; empty: it lives,
	// or may come to live.
	over     string
	patience time.Duration
	byQueue  bool // it is the queue that shows it
	waits    bool // it lives only as a job that waits for a machine
	// reason and exit are what the queue adds to what the files say of its end.
	reason, exit string
}

// judge finds what a sight means, where files may take so long to be seen. A word that is missing is waited for, less long where nothing
// more is to be expected: a worker that was killed writes no more.
func (s sight) judge(late time.Duration) finding {
	soon := late / 12
	gone := s.heard && (!s.found || s.job.Phase == Ended || s.claimed && s.job.Phase == Pending)
	f := finding{}
	if s.found && s.job.Phase == Ended {
		f.reason, f.exit = s.job.Reason, s.job.Exit
	}
	switch {
	case s.foreign && !s.held:
		f.over = "its process is gone"
	case s.foreign:
	case s.exit != "" && (s.ended || strings.HasSuffix(s.exit, outOfMemory)):
		f.over = "it said how it ended"
	case s.exit != "" && s.exit != exitGood && gone:
		f.over, f.patience = "its worker has ended, and its job", soon
	case s.exit != "":
		f.over, f.patience = "its worker has ended", late
	case s.ended && gone:
		f.over = "it has had its last word, and its job is gone"
	case s.ended:
		f.over, f.patience = "it has had its last word", late
	case !s.handed && s.claimed:
		f.over, f.patience = "a worker has it whose job is not known", late
	case !s.handed:
		f.over, f.patience, f.waits = "nobody handed it in", late, true
	case s.heard && !s.found:
		f.over, f.patience, f.waits = "the queue does not know it", late, !s.claimed
		f.reason = "the queue does not know its job any more"
		if s.job.Native != "" {
			f.reason = fmt.Sprintf("the queue does not know its job %s any more", s.job.Native)
		}
	case s.found && s.job.Phase == Ended && (!s.claimed || wasKilled(s.job.Reason)):
		f.over, f.patience = "the queue says so: "+s.job.Reason, soon
	case s.found && s.job.Phase == Ended:
		f.over, f.patience = "the queue says so: "+s.job.Reason, late
	case s.found && s.job.Phase == Pending && s.claimed:
		f.over, f.patience = "it was put back into the queue", late
		f.reason = fmt.Sprintf("job %s was put back into the queue: due to job requeue", s.job.Native)
	default:
		f.waits = !s.claimed && (!s.found || s.job.Phase == Pending) || s.found && s.job.Phase == Suspended
	}
	f.byQueue = f.over != "" && s.exit == "" && !s.ended && s.handed && s.heard
	return f
}

// wasKilled reports whether a queue that says so has seen the processes' end, after which nothing more is written. Of a node that it has
// lost it has not.
func wasKilled(reason string) bool {
	state, _, _ := strings.Cut(reason, " ")
	switch state {
	case "OUT_OF_MEMORY", "CANCELLED", "TIMEOUT", "DEADLINE", "PREEMPTED":
		return true
	}
	return false
}

// What job.sh writes: of a worker that came to its own end, and after "signal: killed" of one that the kernel killed for want of memory.
const (
	exitGood    = "exit status 0"
	outOfMemory = ", out of memory"
)
