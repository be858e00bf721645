package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/ranksweep/ranksweep/sweep/executor/cluster"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// ranBy is what a root's trials were last run by, so that other commands find their jobs, and a resume goes on with the same settings.
type ranBy struct {
	Executor string `json:"executor"`
	Path     string `json:"path,omitempty"`    // of --cluster
	Cluster  string `json:"cluster,omitempty"` // its text
	Pilot    bool   `json:"pilot,omitempty"`
}

const ranByFile = "executor.json"

func readRanBy(root string) (r ranBy, err error) {
	err = trial.ReadSealed(filepath.Join(root, ranByFile), &r)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) { // a root that is a file is refused by who needs it
		return r, nil
	}
	if err != nil {
		return r, fmt.Errorf("%w: say --executor, and remove the file", err)
	}
	return r, nil
}

// A root remembers the settings of its cluster (ranBy), and a root may come from anywhere, while settings name programs, addresses and
// variables of the environment. So what a root remembers is used only where this user has given the same text before, with --cluster. The
// user's configuration folder tells: each text has a file there whose name is its SHA-256. The file's own content is for people.

// errNotGiven says that a root's settings were not given by this user.
var errNotGiven = errors.New("it remembers settings of a cluster that you have never given on this account; settings run programs, so " +
	"they are not used on a root's word")

// givenFile is the file that there is where a text was given.
func givenFile(settings string) (string, error) {
	dir, err := os.UserConfigDir()
	return filepath.Join(dir, "sweep", "clusters", fmt.Sprintf("%x", sha256.Sum256([]byte(settings)))), err
}

// checkGiven fails with errNotGiven unless this user has given the settings that a root remembers.
func checkGiven(root string, last ranBy) error {
	path, err := givenFile(last.Cluster)
	if err == nil {
		_, err = os.Lstat(path)
	}
	if err == nil {
		return nil
	}
	return usagef("%s: %w: look at them, then give them yourself: --cluster FILE (sweep help security)",
		filepath.Join(root, ranByFile), errNotGiven)
}

// keepGiven remembers that this user has given a file's settings. Without a folder to do so in, they have to be given each time.
func (a *app) keepGiven(file, settings string) {
	path, err := givenFile(settings)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err == nil {
		err = os.WriteFile(path, []byte(file+"\n"), 0o600)
	}
	if err != nil {
		a.say("warning: that you have given %s cannot be remembered, so later commands need --cluster, too: %v", file, err)
	}
}

// look returns who tells commands that only show of the root's workers, those of open among others. Where a root's settings are not used,
// its jobs are judged by their files alone.
func (a *app) look(open []trial.AttemptID) (observer, error) {
	workers, err := a.executor.observe(a.root, open)
	if !errors.Is(err, errNotGiven) {
		return workers, err
	}
	unasked := unasked{err: err, say: sync.OnceFunc(func() {
		a.say("warning: %v; until then jobs count as running unless their files say otherwise", err)
	})}
	return &cluster.Executor{Root: a.root, Queue: unasked, Observing: true, Clock: a.clock, Log: slog.New(slog.DiscardHandler)}, nil
}

// unasked is the queue of a cluster that is not asked. Who observes calls nothing but Jobs.
type unasked struct {
	cluster.Queue
	err error
	say func()
}

// Jobs says once that the queue is not asked.
func (q unasked) Jobs(context.Context, []string) (map[cluster.JobID]cluster.Job, error) {
	q.say()
	return nil, q.err
}
