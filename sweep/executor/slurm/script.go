package slurm

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/sweep/executor/cluster"
)

// Script is the text that sbatch gets for a batch: its options, then the line that runs a job. sbatch's environment travels into the job
// (--export=ALL): Queue.Submit runs it in a clean one. A user's environment that is read anew on the node instead, as --export=NONE and
// lists of variables have it, takes seconds and may hold the job ("user env retrieval failed requeued held").
func Script(s Settings, b cluster.Batch) string {
	var text strings.Builder
	text.WriteString("#!/bin/bash -l\n")
	for _, option := range append(options(s, b), s.Extra...) {
		text.WriteString("#SBATCH " + option + "\n")
	}
	index := `"$SLURM_ARRAY_TASK_ID"`
	if len(b.Dirs) <= 1 {
		index = "0"
	}
	// Until job.sh listens, requests to end are in files alone.
	fmt.Fprintf(&text, "\ntrap : USR1 TERM\n%s\n", cluster.Entry(b.Folder, index))
	return text.String()
}

func options(s Settings, b cluster.Batch) []string {
	all := []string{"--job-name=" + b.Name}
	if n := len(b.Dirs); n > 1 {
		all = append(all, fmt.Sprintf("--array=0-%d", n-1), "--output=slurm-%A_%a.out") // logOf finds it
	} else {
		all = append(all, "--output=slurm-%j.out")
	}
	limit := cmp.Or(b.Request.Time, s.Time)
	all = append(all, "--chdir="+quoted(b.Folder), "--open-mode=append", "--no-requeue", "--export=ALL", "--propagate=NONE",
		"--signal=B:USR1@"+strconv.Itoa(int(grace(s, limit).Seconds())), "--nodes=1", "--ntasks=1")
	add := func(option, value string) {
		if value != "" {
			all = append(all, "--"+option+"="+value)
		}
	}
	add("partition", s.Partition)
	add("account", s.Account)
	add("qos", s.QOS)
	add("constraint", s.Constraint)
	gres := s.Gres
	if gres == "" && s.GPUs == "" && b.Request.Devices > 0 {
		gres = fmt.Sprintf("gpu:%d", b.Request.Devices)
	}
	add("gres", gres)
	add("gpus", s.GPUs)
	if s.CPUs > 0 {
		add("cpus-per-task", strconv.Itoa(s.CPUs))
	}
	if memory := cmp.Or(b.Request.Memory, int64(s.Memory)); memory > 0 {
		add("mem", fmt.Sprintf("%dM", (memory+1<<20-1)>>20))
	}
	if limit > 0 {
		add("time", timeLimit(limit))
	}
	return all
}

// grace is how long before its limit a job is told to end, which must leave it some time to train.
func grace(s Settings, limit time.Duration) time.Duration {
	before := cmp.Or(s.Grace, defaultGrace)
	if limit > 0 {
		before = min(before, limit/2)
	}
	return max(before, time.Second)
}

// timeLimit writes whole minutes, which is what Slurm counts in: days-hours:minutes:seconds.
func timeLimit(d time.Duration) string {
	minutes := int((d + time.Minute - 1) / time.Minute)
	return fmt.Sprintf("%d-%02d:%02d:00", minutes/(24*60), minutes/60%24, minutes%60)
}

// quoted makes text one value of an option in a script, where sbatch takes blanks and # for the end.
func quoted(text string) string {
	return `"` + strings.ReplaceAll(text, `"`, `\"`) + `"`
}

// logOf is the name of the file, in its batch's folder, to which Slurm's own words about a job go.
func logOf(native string) string { return "slurm-" + native + ".out" }
