package slurm

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"github.com/ranksweep/ranksweep/sweep/executor/cluster"
)

// record is what squeue or sacct say of one job.
type record struct {
	id     cluster.JobID
	native string // 123 or 123_4
	state  string
	reason string // squeue alone
	exit   string // squeue: the status of wait(2); sacct: STATUS:SIGNAL
	folder string // squeue alone: where the job's log is
}

// What squeue is to print: a line for each job, the folder last, which may hold any character. Fields without a width are printed whole.
const (
	squeueFormat = "JobArrayID:|,State:|,Reason:|,exit_code:|,Name:|,WorkDir:"
	sacctFormat  = "JobID,State,ExitCode,JobName"
)

// parseSqueue reads squeue's lines. A line that cannot be read is an error: a job left out would count as gone.
func parseSqueue(text string) ([]record, error) {
	var records []record
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" || strings.HasPrefix(line, "CLUSTER: ") {
			continue
		}
		fields := strings.SplitN(line, "|", 6)
		if len(fields) != 6 {
			return nil, fmt.Errorf("squeue printed %q: want 6 fields", line)
		}
		r := record{
			native: strings.TrimSpace(fields[0]), state: strings.TrimSpace(fields[1]), reason: strings.TrimSpace(fields[2]),
			exit: strings.TrimSpace(fields[3]), folder: strings.TrimRight(fields[5], " "),
		}
		index, ok := indexOf(r.native)
		if !ok {
			return nil, fmt.Errorf("squeue printed %q: %q is no job of an array", line, r.native)
		}
		r.id = cluster.JobID{Batch: strings.TrimSpace(fields[4]), Index: index}
		records = append(records, r)
	}
	return records, nil
}

// parseSacct reads sacct's lines. It has one line for all jobs of an array that never left the queue, which say nothing.
func parseSacct(text string) ([]record, error) {
	var records []record
	for line := range strings.Lines(text) {
		fields := strings.Split(strings.TrimRight(line, "\r\n"), "|")
		if len(fields) == 1 && fields[0] == "" {
			continue
		}
		if len(fields) != 4 {
			return nil, fmt.Errorf("sacct printed %q: want 4 fields", line)
		}
		if index, ok := indexOf(fields[0]); ok {
			id := cluster.JobID{Batch: fields[3], Index: index}
			records = append(records, record{id: id, native: fields[0], state: fields[1], exit: fields[2]})
		}
	}
	return records, nil
}

// indexOf is the index in its batch of the job 123_4, and 0 of the job 123, which is alone.
func indexOf(native string) (int, bool) {
	number, index, array := strings.Cut(native, "_")
	if _, err := strconv.ParseUint(number, 10, 64); err != nil {
		return 0, false
	}
	if !array {
		return 0, true
	}
	i, err := strconv.ParseUint(index, 10, 31)
	return int(i), err == nil
}

// phase is where a job stands by its state: "JOB STATE CODES" of squeue(1) and sacct(1), with those that later versions have. An
// unknown state counts as one of a job that runs: the files tell.
func phase(state string) cluster.Phase {
	word, _, _ := strings.Cut(state, " ") // CANCELLED by 1000
	switch strings.TrimRight(word, "+") {
	case "PENDING", "CONFIGURING", "POWER_UP_NODE", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD":
		return cluster.Pending
	case "SUSPENDED", "STOPPED":
		return cluster.Suspended
	case "COMPLETING", "STAGE_OUT":
		return cluster.Ending
	case "COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "DEADLINE", "OUT_OF_MEMORY", "NODE_FAIL", "BOOT_FAIL", "PREEMPTED", "REVOKED",
		"LAUNCH_FAILED", "RECONFIG_FAIL":
		return cluster.Ended
	}
	return cluster.Running
}

// stuck reports whether a job may wait for ever for that reason: those of squeue(1), "JOB REASON CODES", that the end of other jobs does
// not lift.
func stuck(reason string) bool {
	reason, _, _ = strings.Cut(reason, ",")
	switch reason {
	case "PartitionTimeLimit", "PartitionNodeLimit", "PartitionDown", "PartitionInactive", "BadConstraints", "AccountNotAllowed",
		"QOSNotAllowed", "InvalidAccount", "InvalidQOS", "JobHeldAdmin", "JobHeldUser", "DependencyNeverSatisfied", "MaxMemPerLimit", "NodeDown":
		return true
	}
	return strings.Contains(reason, "PerJob") || strings.Contains(reason, "held")
}

// job is what a record says. log returns Slurm's own words about the job.
func (r record) job(log func() string) cluster.Job {
	job := cluster.Job{Phase: phase(r.state), Native: r.native}
	switch job.Phase {
	case cluster.Pending:
		job.Reason, job.Stuck = r.reason, stuck(r.reason)
	case cluster.Ended:
		job.Exit = exitText(r.exit)
		job.Reason = r.ended(job.Exit, log)
	case cluster.Running, cluster.Ending, cluster.Suspended:
	}
	return job
}

// ended is why a job ended other than by itself. Where Slurm's accounting plug-in, not the kernel, watches over memory, its log alone says
// that a job took too much of it.
func (r record) ended(exit string, log func() string) string {
	switch r.state {
	case "COMPLETED":
		return ""
	case "FAILED", "CANCELLED":
		if strings.Contains(strings.ToLower(log()), "exceeded job memory limit") {
			return "OUT_OF_MEMORY"
		}
	}
	byItself := strings.HasPrefix(exit, "exit status") || strings.HasPrefix(exit, "signal: ")
	switch {
	case r.state != "FAILED":
		return r.state
	case byItself || r.reason == "" || r.reason == "None":
		return ""
	}
	return "FAILED " + r.reason // it was never started: JobLaunchFailure
}

// exitText writes an exit as os.ProcessState does; empty where nothing ran.
func exitText(exit string) string {
	status, signal, accounts := strings.Cut(exit, ":")
	code, err := strconv.ParseUint(status, 10, 31)
	if err != nil {
		return ""
	}
	killed, err := strconv.ParseUint(signal, 10, 31)
	switch {
	case !accounts && code > 0xffff: // an errno of Slurm's
		return ""
	case !accounts:
		code, killed = code>>8, code&0x7f
	case err != nil:
		return ""
	}
	if killed == 0 {
		return fmt.Sprintf("exit status %d", code)
	}
	if killed == launchFailure {
		return ""
	}
	return "signal: " + syscall.Signal(killed).String()
}

// launchFailure is the signal that Slurm reports of a job whose script could not be started: 4021 & 0x7f, ESLURMD_IO_ERROR.
const launchFailure = 53
