package ray

import (
	"encoding/json"
	"fmt"
	"strings"
	"syscall"

	"github.com/ranksweep/ranksweep/sweep/executor/cluster"
)

// details is what Ray tells of a job, as far as it is used: JobDetails of ray/dashboard/modules/job/pydantic_models.py.
type details struct {
	Type     string `json:"type"`
	ID       string `json:"submission_id"`
	Status   string `json:"status"`
	Message  string `json:"message"`
	Error    string `json:"error_type"`
	Node     string `json:"driver_node_id"`
	ExitCode *int   `json:"driver_exit_code"`
}

// The values of a job's type and status that matter: JobType, JobStatus and JobErrorType of Ray.
const (
	typeSubmission = "SUBMISSION"

	statusPending   = "PENDING"
	statusRunning   = "RUNNING"
	statusStopped   = "STOPPED"
	statusSucceeded = "SUCCEEDED"
	statusFailed    = "FAILED"
)

// nodes is the reply to a request for nodes.
type nodes struct {
	OK   bool   `json:"result"`
	Text string `json:"msg"`
	Data struct {
		Result struct {
			Nodes []struct {
				ID    string `json:"node_id"`
				State string `json:"state"`
				Why   string `json:"state_message"`
			} `json:"result"`
		} `json:"result"`
	} `json:"data"`
}

// dead returns why each of the dead nodes is dead.
func (n nodes) dead() (map[string]string, error) {
	if !n.OK {
		return nil, fmt.Errorf("Ray cannot tell which nodes are dead: %s", lastLine(n.Text)) //nolint:staticcheck // a name
	}
	dead := map[string]string{}
	for _, node := range n.Data.Result.Nodes {
		if node.State == "DEAD" {
			dead[node.ID] = lastLine(node.Why)
		}
	}
	return dead, nil
}

// readJobs reads a list of jobs, one at a time: the cluster's may be long.
func readJobs(r reader, each func(details)) error {
	decoder := json.NewDecoder(r)
	broken := func(err error) error { return fmt.Errorf("the list of jobs is broken, cut off or too long: %w", err) }
	if start, err := decoder.Token(); err != nil {
		return broken(err)
	} else if start != json.Delim('[') {
		return broken(fmt.Errorf("it begins with %v", start))
	}
	for decoder.More() {
		var d details
		if err := decoder.Decode(&d); err != nil {
			return broken(err)
		}
		each(d)
	}
	if _, err := decoder.Token(); err != nil {
		return broken(err)
	}
	return nil
}

// job is what the state of a job means, given why nodes are dead. A state that Ray has not had so far is an error: nothing is known.
func (d details) job(dead map[string]string) (cluster.Job, error) {
	j := cluster.Job{Native: d.ID}
	switch d.Status {
	case statusPending:
		j.Phase, j.Reason = cluster.Pending, lastLine(d.Message)
	case statusRunning:
		j.Phase = cluster.Running
		if why, isDead := dead[d.Node]; isDead {
			j.Phase, j.Reason = cluster.Ended, "NODE_FAIL "+why
		}
	case statusStopped:
		j.Phase, j.Reason = cluster.Ended, "CANCELLED in Ray"
	case statusSucceeded:
		j.Phase, j.Exit = cluster.Ended, exitText(0)
	case statusFailed:
		j.Phase = cluster.Ended
		if d.ExitCode != nil {
			j.Exit, j.Reason = exitText(*d.ExitCode), saidBy(d.Message)
		} else {
			j.Reason = bounded(d.Error+": "+d.Message, longestReason)
		}
	default:
		return cluster.Job{}, fmt.Errorf("job %s has the state %q, which is new", d.ID, lastLine(d.Status))
	}
	return j, nil
}

// longestReason bounds what Ray says of a job that it could not run, in characters: package cause finds in it the line that tells.
const longestReason = 4000

// exitText is an exit code of Python's subprocess as os.ProcessState puts it: a negative one is a signal.
func exitText(code int) string {
	if code < 0 {
		return "signal: " + syscall.Signal(-code).String()
	}
	return fmt.Sprintf("exit status %d", code)
}

// What Ray itself writes into a job's log, which the message of a job that failed repeats.
const (
	logBegins    = "last available logs (truncated to 20,000 chars):\n"
	logOfManager = "job_manager.py:"
	logOfEntry   = "Running entrypoint for job "
)

// saidBy is the last line that the job itself wrote into its log: why its script could not begin. What it says later is in the attempt's
// logs.
func saidBy(message string) string {
	_, log, _ := strings.Cut(message, logBegins)
	var own []string
	for line := range strings.Lines(log) {
		if !strings.Contains(line, logOfManager) && !strings.HasPrefix(line, logOfEntry) {
			own = append(own, line)
		}
	}
	return lastLine(strings.Join(own, ""))
}
