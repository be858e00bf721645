package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/sweep/executor/cluster"
	"github.com/ranksweep/ranksweep/sweep/executor/slurm"
)

// TestSimulatedSlurm is Simulate through slurm.Queue, whose commands a slurmctld answers that has the world's jobs.
func TestSimulatedSlurm(t *testing.T) {
	t.Parallel()
	cluster.Simulate(t, func(w *cluster.World) cluster.Queue {
		s := slurmctld{t: t, World: w}
		return &slurm.Queue{Run: s.run, Now: func() time.Time { return w.Now().Wall }}
	})
}

// slurmctld answers Slurm's commands as 22.05 does.
type slurmctld struct {
	t *testing.T
	*cluster.World
}

// failed is a command that ends with an exit status and these words.
func failed(words string) (stdout, stderr string, err error) {
	return "", words + "\n", &exec.ExitError{ProcessState: &os.ProcessState{}}
}

const noController = "Unable to contact slurm controller (connect failure)"

func (s slurmctld) run(ctx context.Context, _ []string, command string, args ...string) (stdout, stderr string, err error) {
	switch command {
	case "sbatch":
		return s.sbatch(ctx, args)
	case "squeue":
		want := []string{
			"--noheader", "--array", "--states=all", "--user=" + strconv.Itoa(os.Getuid()),
			"--Format=JobArrayID:|,State:|,Reason:|,exit_code:|,Name:|,WorkDir:",
		}
		if !slices.Equal(args, want) {
			s.t.Errorf("squeue %q", args)
		}
		records, err := s.Records()
		if err != nil {
			return failed("slurm_load_jobs error: " + noController)
		}
		var lines strings.Builder
		for _, r := range records {
			state, exit := stateOf(r)
			fmt.Fprintf(&lines, "%s|%s|None|%d|%s|%s\n", nativeOf(r), state, exit, r.ID.Batch, r.Folder)
		}
		return lines.String(), "", nil
	case "sacct":
		return s.sacct(args)
	case "scancel":
		return s.scancel(args)
	case "scontrol":
		most, err := s.Most(ctx)
		if err != nil {
			return failed(noController)
		}
		return fmt.Sprintf("MaxArraySize            = %d\nSchedulerParameters     = (null)\n", most), "", nil
	}
	return "", "", exec.ErrNotFound
}

// sbatch takes the script as it is.
func (s slurmctld) sbatch(ctx context.Context, args []string) (stdout, stderr string, err error) {
	script, err := os.ReadFile(args[len(args)-1])
	if err != nil || len(args) != 2 || args[0] != "--parsable" {
		s.t.Errorf("sbatch %q: %v", args, err)
	}
	option := func(name string) string {
		_, value, _ := strings.Cut(string(script), "#SBATCH --"+name+"=")
		value, _, _ = strings.Cut(value, "\n")
		return strings.Trim(value, `"`)
	}
	b := cluster.Batch{Name: option("job-name"), Folder: option("chdir")}
	attempts, err := os.ReadFile(filepath.Join(b.Folder, "attempts"))
	if err != nil {
		s.t.Errorf("the batch of %s: %v", script, err)
	}
	b.Dirs = strings.Fields(string(attempts))
	if array := option("array"); array != "" {
		last, err := strconv.Atoi(strings.TrimPrefix(array, "0-"))
		if err != nil || last+1 != len(b.Dirs) {
			s.t.Errorf("--array=%s of %d attempts", array, len(b.Dirs))
		}
	}
	err = s.Submit(ctx, b)
	switch refused, no := errors.AsType[*cluster.RefusedError](err); {
	case no:
		return failed("sbatch: error: Batch job submission failed: Job violates accounting/QOS policy: " + refused.Reason)
	case err != nil && s.Chance(50):
		return "", "", context.DeadlineExceeded // it was killed, as it hung
	case err != nil:
		return failed("sbatch: error: Batch job submission failed: Socket timed out on send/recv operation")
	}
	return strconv.Itoa(s.Number()) + "\n", "", nil
}

// sacct has old words of some jobs, or none, and at times no database.
func (s slurmctld) sacct(args []string) (stdout, stderr string, err error) {
	if s.Chance(10) {
		return failed("sacct: error: Problem talking to the database: Connection refused")
	}
	var names []string
	for _, a := range args {
		if list, ok := strings.CutPrefix(a, "--name="); ok {
			names = strings.Split(list, ",")
		}
	}
	var lines strings.Builder
	for _, r := range s.Past(names) {
		state, exit := stateOf(r)
		if reason := r.Reason; reason != "" {
			state = reason // CANCELLED by 1000
		}
		switch {
		case s.Chance(20):
			continue
		case s.Chance(20):
			state = "RUNNING"
		}
		fmt.Fprintf(&lines, "%s|%s|%d:%d|%s\n", nativeOf(r), state, exit>>8, exit&0x7f, r.ID.Batch)
	}
	return lines.String(), "", nil
}

func (s slurmctld) scancel(args []string) (stdout, stderr string, err error) {
	var ids []string
	waiting, running, kill := true, true, false
	for _, a := range args {
		switch a {
		case "--state=PENDING":
			running = false
		case "--signal=USR1", "--signal=KILL":
			waiting, kill = false, a == "--signal=KILL"
		case "--batch":
		default:
			ids = append(ids, a)
		}
	}
	known := false
	which := func(r cluster.Record) bool {
		asked := slices.Contains(ids, nativeOf(r))
		known = known || asked
		return asked
	}
	switch err := s.Cancel(which, waiting, running, kill); {
	case err != nil:
		return failed("scancel: error: " + noController)
	case !known:
		return failed("scancel: error: Kill job error on job id " + ids[0] + ": Invalid job id specified")
	}
	return "", "", nil
}

// nativeOf is Slurm's name of a job.
func nativeOf(r cluster.Record) string {
	if r.Size == 1 {
		return strconv.Itoa(r.Number)
	}
	return fmt.Sprintf("%d_%d", r.Number, r.ID.Index)
}

// stateOf is the state of a job, and the status of wait(2) with which its script ended.
func stateOf(r cluster.Record) (state string, exit int) {
	if code, ok := strings.CutPrefix(r.Exit, "exit status "); ok {
		exit, _ = strconv.Atoi(code)
		exit <<= 8
	} else if r.Exit == "signal: killed" {
		exit = int(syscall.SIGKILL)
	}
	state, _, _ = strings.Cut(r.Reason, " ")
	switch {
	case r.Phase == cluster.Pending:
		return "PENDING", 0
	case r.Phase == cluster.Running:
		return "RUNNING", 0
	case r.Phase == cluster.Suspended:
		return "SUSPENDED", 0
	case r.Phase == cluster.Ending:
		return "COMPLETING", 0
	case state != "":
		return state, exit
	case exit != 0:
		return "FAILED", exit
	}
	return "COMPLETED", 0
}
