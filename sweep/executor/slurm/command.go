package slurm

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/sweep/executor/cluster"
)

// commandError is a command of Slurm that did not do what it was asked to.
type commandError struct {
	command string
	said    string // its last words
	cause   error
}

func (e *commandError) Error() string {
	if e.said == "" {
		return fmt.Sprintf("%s: %v", e.command, e.cause)
	}
	return fmt.Sprintf("%s: %v: %s", e.command, e.cause, e.said)
}

func (e *commandError) Unwrap() error { return e.cause }

// Run runs a command, and returns what it printed. An *exec.ExitError says that it did not do what it was asked to.
// The command's environment has env more.
type Run func(ctx context.Context, env []string, command string, args ...string) (stdout, stderr string, err error)

// runHere is Run of this machine's commands.
func runHere(ctx context.Context, env []string, command string, args ...string) (string, string, error) {
	cmd := exec.CommandContext(ctx, command, args...)
	var stdout, stderr bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = append(environment(), env...), &stdout, &stderr, time.Second
	err := cmd.Run()
	return stdout.String(), stderr.String(), err
}

// output runs a command within the time that the settings give it, and returns what it printed.
func (q *Queue) output(ctx context.Context, command string, args ...string) (string, error) {
	return q.outputWith(ctx, nil, command, args...)
}

// outputWith is output with more in the command's environment.
func (q *Queue) outputWith(ctx context.Context, env []string, command string, args ...string) (string, error) {
	timeout := cmp.Or(q.Settings.Timeout, defaultTimeout)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	run := q.Run
	if run == nil {
		run = runHere
	}
	stdout, stderr, err := run(ctx, env, command, args...)
	if err == nil {
		return stdout, nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
		if errors.Is(cause, context.DeadlineExceeded) {
			err = fmt.Errorf("no answer within %s: %w", timeout, cause)
		}
	}
	return "", &commandError{command: command, said: lastLines(stderr), cause: err}
}

// environment is what Slurm's commands need. Variables of theirs that would change what they print or ask for (SBATCH_*, SQUEUE_*, ...) do
// not get there, and a job inherits nothing else.
func environment() []string {
	env := []string{"LC_ALL=C"}
	for _, name := range []string{"PATH", "HOME", "USER", "LOGNAME", "SHELL", "SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_CLUSTERS"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// jobEnvironment is what jobs get of this process's environment. sbatch takes it from its own, so that it is in no file.
func (s Settings) jobEnvironment() (env, missing []string) {
	for _, name := range s.Environment {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		} else {
			missing = append(missing, name)
		}
	}
	return env, missing
}

// Ready says what jobs lack to be handed in from this process.
func (s Settings) Ready() error {
	if _, missing := s.jobEnvironment(); len(missing) > 0 {
		return fmt.Errorf("slurm: environment: jobs are to get %s, which this environment does not have: set it, or leave it out",
			strings.Join(missing, ", "))
	}
	return nil
}

// lastLines is the end of what a command wrote, in one line.
func lastLines(text string) string {
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	return strings.Join(lines[max(0, len(lines)-3):], "; ")
}

// refused reports whether an error of sbatch is a no. Where it could not speak to the controller, or broke off, the batch may have been
// taken.
func refused(err error) bool {
	var failed *commandError
	if !errors.As(err, &failed) {
		return false
	}
	if errors.Is(failed.cause, exec.ErrNotFound) || errors.Is(failed.cause, os.ErrNotExist) || errors.Is(failed.cause, os.ErrPermission) {
		return true
	}
	var exit *exec.ExitError
	if !errors.As(failed.cause, &exit) || !exit.Exited() {
		return false
	}
	said := strings.ToLower(failed.said)
	passing := func(text string) bool { return strings.Contains(said, text) }
	return said != "" && !slices.ContainsFunc(passingTexts(), passing)
}

// refusal is a no of sbatch, with the settings that it may be about.
func refusal(err error) *cluster.RefusedError {
	r := &cluster.RefusedError{Reason: err.Error()}
	said := strings.ToLower(r.Reason)
	for _, about := range []struct {
		text     string
		settings []string
	}{
		{"partition name", []string{"partition"}},
		{"account", []string{"account", "partition"}},
		{"qos", []string{"qos"}},
		{"generic resource", []string{"gres", "gpus"}},
		{"gres", []string{"gres", "gpus"}},
		{"time limit", []string{"time", "time_max"}},
		{"--time", []string{"time", "time_max"}},
		{"memory specification", []string{"memory", "memory_max"}},
		{"feature", []string{"constraint"}},
		{"constraint", []string{"constraint"}},
		{"cpu count", []string{"cpus"}},
		{"node configuration", []string{"partition", "constraint", "gres", "gpus", "cpus", "memory"}},
		{"job submit limit", []string{"max_jobs"}},
		{"option", []string{"extra"}},
		{"no such file", []string{"sbatch"}},
		{"not found in $path", []string{"sbatch"}},
	} {
		if strings.Contains(said, about.text) {
			r.Settings = append(r.Settings, about.settings...)
		}
	}
	r.Memory = strings.Contains(said, "memory specification")
	return r
}

// passingTexts are of errors after which a batch may have been taken, or may be taken later: slurm_errno.c of 22.05.
func passingTexts() []string {
	return []string{
		// communication
		"contact slurm controller", "timed out", "timeout", "zero bytes were transmitted", "unexpected message", "transport endpoint",
		"connection refused", "connection reset", "no route to host", "network is", "receive failure", "send failure", "communication",
		"name resolution", "failed to decode", "interrupted",
		// authentication, and a controller that is not there yet
		"authentication error", "munge", "credential", "configuration source", "fetch config", "standby mode", "backup",
		// limits that the end of other jobs lifts
		"temporarily", "try again", "submitjob", "maxjobs", "job count",
	}
}
