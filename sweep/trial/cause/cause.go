package cause

// Cause is why an attempt ended.
type Cause string

// The causes. None is that of an attempt that is done or was asked to stop, and of attempts that an earlier version recorded.
const (
	None         Cause = ""
	Killed       Cause = "killed"        // by a signal that the coordinator did not send
	Lost         Cause = "lost"          // gone, and nothing tells why
	Disk         Cause = "disk"          // full (bytes, inodes, quota), read-only, or failing
	NoProcess    Cause = "no_process"    // no process, thread or open file to be had, or no program to start
	Hung         Cause = "hung"          // no sign of life, so that the coordinator killed it
	Preempted    Cause = "preempted"     // the cluster took the machine for another job
	NodeFailure  Cause = "node_failure"  // the machine or its GPU broke
	Memory       Cause = "memory"        // out of it while no other trial ran on the machine
	MemoryShared Cause = "memory_shared" // out of it while others ran there
	MemoryAsked  Cause = "memory_asked"  // out of what its job had asked a cluster for
	NaN          Cause = "nan"           // a loss or gradient was not finite
	Time         Cause = "time"          // limits.trial_time, or the cluster's time limit
	Data         Cause = "data"          // the inputs do not serve, or have changed
	Code         Cause = "code"          // the program refused, with an error of its own
	Crash        Cause = "crash"         // the program broke: a signal such as SIGSEGV, a panic, an exit status
)

// Passing reports whether the cause lies with the machine, not the trial: the same attempt may well succeed later.
func (c Cause) Passing() bool {
	switch c {
	case Killed, Lost, Disk, NoProcess, Preempted, NodeFailure, Time, MemoryShared, MemoryAsked:
		return true
	case None, Hung, Memory, NaN, Data, Code, Crash:
	}
	return false
}

// Words says what happened, to be followed by what shows it.
func (c Cause) Words() string {
	switch c {
	case Killed:
		return "the worker was killed"
	case Lost:
		return "the worker is gone and left no word"
	case Disk:
		return "the disk is full, read-only or failing"
	case NoProcess:
		return "no worker could be started, or it could start or open nothing more"
	case Hung:
		return "the worker gave no sign of life"
	case Preempted:
		return "the cluster took the machine for another job"
	case NodeFailure:
		return "the machine or its GPU failed"
	case Memory:
		return "the machine ran out of memory"
	case MemoryShared:
		return "the machine ran out of memory while other trials ran on it"
	case MemoryAsked:
		return "the job needed more memory than it asked for"
	case NaN:
		return "training has diverged"
	case Time:
		return "its time was up"
	case Data:
		return "the inputs do not serve"
	case Code:
		return "the worker reported an error"
	case None, Crash:
	}
	return "the worker broke down"
}

// Advice says what a person can do, where there is something to do before the next attempt.
func (c Cause) Advice() string {
	switch c {
	case MemoryAsked:
		return "the next one asks for more"
	case Disk:
		return "make room or mend the disk, and it goes on"
	case NoProcess:
		return "mend what that says (too few processes or open files: end others, or raise ulimit -u and ulimit -n), and it goes on"
	case NodeFailure:
		return "dmesg and nvidia-smi tell more"
	case None, Killed, Lost, Hung, Preempted, Memory, MemoryShared, NaN, Time, Data, Code, Crash:
	}
	return ""
}

// Exit statuses with which a worker that can write no word says why it ends, those of sysexits.h (4.3BSD).
const (
	exitOSError = 71 // EX_OSERR: cannot fork, cannot create a pipe
	exitIOError = 74 // EX_IOERR
)

// ExitStatus is the exit status of a worker that ends for this cause without a word; 0 for a cause that has none of its own.
func (c Cause) ExitStatus() int {
	switch c {
	case Disk:
		return exitIOError
	case NoProcess:
		return exitOSError
	case None, Killed, Lost, Hung, Preempted, NodeFailure, Memory, MemoryShared, MemoryAsked, NaN, Time, Data, Code, Crash:
	}
	return 0
}
