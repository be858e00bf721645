package cause

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

// Evidence is what is known of an attempt whose worker ended without a word. All of it may be empty.
type Evidence struct {
	Start     string // the error of starting the worker
	Exit      string // as os.ProcessState puts it: "exit status 1", "signal: killed"; empty where nobody saw it
	OOMKilled bool   // the kernel or the cgroup says that it killed a process for want of memory
	Reason    string // Slurm's state, reason or message, or Ray's exception
	Stderr    string // the end of what the worker wrote
}

// Of says why an attempt ended, and the line that tells.
func Of(e Evidence) (c Cause, line string) {
	if e.OOMKilled {
		return Memory, e.Exit
	}
	if c := ofState(e.Reason); c != None {
		return c, e.Reason
	}
	if c, line := lastTelling(e.Reason, everyLine); c != None {
		return c, line
	}
	if e.Start != "" {
		if c := ofLine(e.Start); c != None && c != Memory { // of forking: the trial has taken no memory yet
			return c, e.Start
		}
		return NoProcess, e.Start
	}
	byExit := ofLine(e.Exit)
	switch {
	case byExit == Killed: // a killed process says nothing of it: what it wrote before was about something else
		if c, line := lastTelling(e.Stderr, ofSupervisor); c != None {
			return c, line
		}
		return Killed, e.Exit
	case e.Exit == exitText(exitIOError):
		byExit = Disk
	case e.Exit == exitText(exitOSError):
		byExit = NoProcess
	}
	if c, line := lastTelling(e.Stderr, everyLine); c != None && (byExit == None || byExit == Crash || byExit == c) {
		return c, line
	}
	switch line := lastLine(e.Stderr); {
	case byExit != None:
		return byExit, joined(e.Exit, line)
	case e.Exit == "":
		return Lost, joined(e.Reason, line)
	default:
		return Crash, joined(e.Exit, line)
	}
}

// ofState is the cause that a job's state in Slurm names: "JOB STATE CODES" of squeue(1), "CANCELLED by 1000" of sacct(1).
func ofState(reason string) Cause {
	state, _, _ := strings.Cut(reason, " ")
	switch state {
	case "OUT_OF_MEMORY":
		return Memory
	case "TIMEOUT", "DEADLINE":
		return Time
	case "PREEMPTED", "REVOKED":
		return Preempted
	case "NODE_FAIL", "BOOT_FAIL":
		return NodeFailure
	case "CANCELLED":
		return Killed
	}
	return None
}

// OfError is the cause that an error of the system carries; None for any other error. Texts that an error quotes do not matter.
func OfError(err error) Cause {
	is := func(codes ...syscall.Errno) bool {
		return slices.ContainsFunc(codes, func(code syscall.Errno) bool { return errors.Is(err, code) })
	}
	switch {
	case is(syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO, syscall.EFBIG, syscall.ESTALE, syscall.ENOTCONN, syscall.ENXIO):
		return Disk
	case is(syscall.EAGAIN, syscall.EMFILE, syscall.ENFILE):
		return NoProcess
	case is(syscall.ENOMEM):
		return Memory
	}
	return None
}

// OfDevice is the cause that an accelerator's error names; None for any other text.
func OfDevice(text string) Cause {
	c := ofLine(text)
	if !slices.Contains([]Cause{Memory, NodeFailure, Crash}, c) || !device().MatchString(text) {
		return None
	}
	return c
}

func device() *regexp.Regexp {
	return regexp.MustCompile(`PJRT error|RESOURCE_EXHAUSTED|CUDA_ERROR|CUDA error|NVRM: Xid`)
}

func exitText(status int) string { return fmt.Sprintf("exit status %d", status) }

func joined(first, line string) string {
	if first == "" || line == "" {
		return first + line
	}
	return first + ": " + line
}

// rule is a cause with what its messages contain, in lower case.
type rule struct {
	cause Cause
	texts []string
}

// rules are tried in order: a message may name more than one thing, such as a disk that is full while a process forks.
func rules() []rule {
	return []rule{
		{Disk, []string{
			"no space left on device", "disk quota exceeded", "read-only file system", "input/output error", "stale nfs file handle",
			"stale file handle", "file too large", "file size limit exceeded", "database or disk is full", "structure needs cleaning",
			"transport endpoint is not connected", "remote i/o error", "sigbus", "signal: bus error",
		}},
		{NoProcess, []string{
			"resource temporarily unavailable", "too many open files", "failed to create new os thread", "fork/exec", "unable to fork",
			"newosproc", "pthread_create failed", "runtime_env setup failed",
		}},
		{NodeFailure, []string{
			"cuda_error_ecc_uncorrectable", "uncorrectable ecc error", "fallen off the bus", "cuda_error_unknown", "cuda_error_hardware_stack_error",
			"node_fail", "due to node failure", "node failure on", "nodediederror", "node it was running on is dead", "node was terminated",
			"owner's node has crashed",
		}},
		{Memory, []string{
			"resource_exhausted", "resource exhausted", "pjrt error (code=8)", "cuda_error_out_of_memory", "out of memory", "out_of_memory",
			"oom-kill event", "oom_kill event", "outofmemoryerror", "running low on memory", "bad_alloc", "cannot allocate memory",
		}},
		{Preempted, []string{"due to preemption", "preempted", "due to job requeue"}},
		{Time, []string{"due to time limit"}},
		{Killed, []string{"signal: killed", "signal: terminated", "signal: hangup", "signal: interrupt", "signal: quit", "cancelled at"}},
		{Lost, []string{
			"actor died unexpectedly", "worker process has died", "worker died or was killed", "workercrashederror", "the worker died unexpectedly",
			"job supervisor actor failed to start within", "failed to get job supervisor",
		}},
		{Crash, []string{
			"signal: segmentation fault", "signal: aborted", "signal: illegal instruction", "signal: floating point exception",
			"signal: trace/breakpoint trap", "sigsegv", "sigabrt", "sigill", "sigfpe", "panic:", "fatal error:", "check failed",
			"cuda_error_launch_failed", "unspecified launch failure", "cuda_error_illegal_address", "illegal memory access",
		}},
	}
}

// ofLine is the cause that one message names.
func ofLine(line string) Cause {
	line = strings.ToLower(line)
	if strings.Contains(line, "is not a failure") { // XLA's allocator, which then takes less
		return None
	}
	// Ray's lists of what it may have been.
	for _, guess := range []string{"there are some potential root causes", "some common causes include", "this can happen if"} {
		line, _, _ = strings.Cut(line, guess)
	}
	if c := ofXid(line); c != None {
		return c
	}
	for _, r := range rules() {
		if slices.ContainsFunc(r.texts, func(text string) bool { return strings.Contains(line, text) }) {
			return r.cause
		}
	}
	return None
}

// ofXid is the cause of an error that NVIDIA's driver logs by number. Those of hardware are memory and links (48, 63, 64, 74, 79, 92, 94,
// 95) and the GPU's own processor (119, 120): "Xid Errors", NVIDIA, r575, section 4. The others are mostly a program's.
func ofXid(line string) Cause {
	_, rest, found := strings.Cut(line, "xid (")
	if !found {
		return None
	}
	_, rest, _ = strings.Cut(rest, "): ")
	var number int
	if _, err := fmt.Sscanf(rest, "%d", &number); err == nil &&
		slices.Contains([]int{48, 63, 64, 74, 79, 92, 94, 95, 119, 120}, number) {
		return NodeFailure
	}
	return Crash
}

func everyLine(string) bool { return true }

// ofSupervisor reports whether a line is of what watches a process, not of the process.
func ofSupervisor(line string) bool {
	return strings.HasPrefix(line, "slurmstepd:") || strings.HasPrefix(line, "srun:")
}

// lastTelling is the cause that the last of the wanted lines names that name any.
func lastTelling(text string, wanted func(string) bool) (Cause, string) {
	for _, line := range slices.Backward(strings.Split(text, "\n")) {
		if line = strings.TrimSpace(line); !wanted(line) {
			continue
		}
		if c := ofLine(line); c != None {
			return c, line
		}
	}
	return None, ""
}

// lastLine is the last line that is not blank.
func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return strings.TrimSpace(text[strings.LastIndexByte(text, '\n')+1:])
}
