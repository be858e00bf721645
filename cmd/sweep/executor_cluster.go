package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/executor/cluster"
	"github.com/ranksweep/ranksweep/sweep/executor/ray"
	"github.com/ranksweep/ranksweep/sweep/executor/slurm"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// clusterSettings are what a kind of cluster is asked for, of whatever kind it is.
type clusterSettings struct {
	cluster.Script
	queue         func(log *slog.Logger) cluster.Queue
	ready         func() error                    // what this process lacks to hand jobs in
	reach         func(ctx context.Context) error // asks whether the cluster is where the settings say; nil: its commands tell
	jobs          int                             // at the same time
	asksForGPUs   bool
	memory, most  int64                               // bytes: the least and the most that a job asks for; 0: not said
	time, longest time.Duration                       // likewise
	preview       func(cluster.Batch) (string, error) // what the queue gets for a batch
	places        func(keys []string) string          // where settings are said
	pilot         bool                                // few jobs train many trials each
	private       bool                                // jobs run as this user
	timeless      bool                                // jobs have no time limit
}

const (
	defaultJobs = 64 // of a cluster at the same time
	// timeMargin is wide, for nodes differ: a job that its time limit ends goes on in another one, and a shorter limit only starts sooner.
	timeMargin, timeBeside = 2, 10 * time.Minute
	timeStep               = 10 * time.Minute // so that alike trials make one batch
)

// request is what the job of an attempt asks for.
func (s clusterSettings) request(a trial.Assignment) cluster.Request {
	r := cluster.Request{Memory: atLeastAtMost(cluster.WithMargin(a.ExpectedBytes), s.memory, s.most), Time: s.time}
	expected := time.Duration(a.ExpectedSeconds * float64(time.Second))
	if a.TrialTime > 0 && (expected == 0 || a.TrialTime < expected) {
		expected = a.TrialTime
	}
	if expected > 0 && !s.timeless {
		r.Time = atLeastAtMost((timeMargin*expected+timeBeside+timeStep-1)/timeStep*timeStep, s.time, s.longest)
	}
	if trial.OnDevice(a.Platform) {
		r.Devices = 1
	}
	return r
}

// atLeastAtMost bounds a value; bounds of 0 are none.
func atLeastAtMost[T cmp.Ordered](v, least, most T) T {
	var none T
	v = max(v, least)
	if most > none {
		v = min(v, most)
	}
	return v
}

// capacity is that of machines of which each trial has one.
func (s clusterSettings) capacity(_ backend.Choice, jobs, trials int) (sweep.Capacity, error) {
	c := sweep.Capacity{Jobs: jobs, HostBytes: s.most, Apart: true}
	if jobs == jobsAuto {
		c.Jobs = max(1, min(cmp.Or(s.jobs, defaultJobs), trials))
	}
	return c, nil
}

func (s clusterSettings) open(clock sweep.Clock, log *slog.Logger) func(string, sweep.Capacity) (sweep.Executor, error) {
	return func(root string, c sweep.Capacity) (sweep.Executor, error) {
		return s.executor(root, c.Jobs, clock, log, false), nil
	}
}

func (s clusterSettings) observe(clock sweep.Clock, log *slog.Logger) func(string, []trial.AttemptID) (observer, error) {
	return func(root string, open []trial.AttemptID) (observer, error) {
		e := s.executor(root, 1, clock, log, true)
		return e, e.Expect(open)
	}
}

func (s clusterSettings) executor(root string, jobs int, clock sweep.Clock, log *slog.Logger, observing bool) *cluster.Executor {
	queue := s.queue(log)
	if s.pilot {
		queue = s.pilots(queue, root, jobs, clock, log, observing)
	}
	return &cluster.Executor{
		Root: root, Queue: queue, Script: s.Script, Ask: s.request, MemoryMax: s.most, Private: s.private, Observing: observing, Clock: clock,
		Log: log,
	}
}

func (s clusterSettings) pilots(
	queue cluster.Queue, root string, jobs int, clock sweep.Clock, log *slog.Logger, observing bool,
) *cluster.Pilots {
	return &cluster.Pilots{
		Queue: queue, Root: root, Script: s.Script, Crew: jobs, Time: s.time, MemoryMax: s.most, Private: s.private, Observing: observing,
		Clock: clock, Log: log,
	}
}

// sources are the settings files of a cluster, those that count more last.
func slurmKind(sources []sectionFile, worker []string) (clusterSettings, error) {
	var s slurm.Settings
	for _, f := range sources {
		if err := f.decode("slurm", &s); err != nil {
			return clusterSettings{}, err
		}
	}
	if err := checked("slurm", sources, s.Check()); err != nil {
		return clusterSettings{}, err
	}
	return clusterSettings{
		Script: cluster.Script{Command: worker, Env: workerEnvironment(), Setup: s.Setup, Container: s.Container},
		queue:  func(log *slog.Logger) cluster.Queue { return &slurm.Queue{Settings: s, Log: log} },
		ready:  s.Ready, private: true,
		jobs: s.MaxJobs, asksForGPUs: s.Gres != "" || s.GPUs != "",
		memory: int64(s.Memory), most: int64(s.MemoryMax), time: s.Time, longest: s.TimeMax,
		preview: func(b cluster.Batch) (string, error) { return slurm.Script(s, b), nil },
	}, nil
}

func rayKind(sources []sectionFile, worker []string) (clusterSettings, error) {
	var s ray.Settings
	for _, f := range sources {
		if err := f.decode("ray", &s); err != nil {
			return clusterSettings{}, err
		}
	}
	if err := checked("ray", sources, s.Check()); err != nil {
		return clusterSettings{}, err
	}
	program, command := worker[0], worker
	if s.WorkingDir == ray.Upload {
		command = append([]string{"./" + filepath.Base(program)}, worker[1:]...)
	}
	return clusterSettings{
		Script: cluster.Script{Command: command, Env: workerEnvironment(), Setup: s.Setup, Container: s.Container},
		queue:  func(*slog.Logger) cluster.Queue { return &ray.Queue{Settings: s, Program: program} },
		ready:  s.Ready, timeless: true,
		reach: func(ctx context.Context) error {
			_, err := (&ray.Queue{Settings: s}).Version(ctx)
			return err
		},
		jobs: s.MaxJobs, asksForGPUs: s.GPUs > 0, memory: int64(s.Memory), most: int64(s.MemoryMax),
		preview: func(b cluster.Batch) (string, error) { return ray.Script(s, b) },
	}, nil
}

// workerEnvironment is what a worker's environment has that another process's has not.
func workerEnvironment() []string { return backend.Environment(nil) }

// onCluster makes the kind of executor that runs trials on a cluster.
func (a *app) onCluster(kind executorKind, sources []sectionFile) (executorKind, error) {
	self, err := os.Executable()
	if err != nil {
		return executorKind{}, err
	}
	if path, gone := strings.CutSuffix(self, " (deleted)"); gone {
		return executorKind{}, fmt.Errorf("the program %s was replaced while it runs: start it again, so that nodes find it", path)
	}
	s, err := kind.load(sources, []string{self, "worker"})
	if err != nil {
		return executorKind{}, err
	}
	s.pilot = a.ranBy.Pilot
	s.places = func(keys []string) string { return placesOf(kind.name, sources, keys) }
	log := a.clusterLog()
	return executorKind{
		name: kind.name, capacity: s.capacity, open: s.open(a.clock, log), observe: s.observe(a.clock, log), cluster: &s,
	}, nil
}

// findCluster fails where no cluster answers, asked some times: one answer may get lost.
func (a *app) findCluster(ctx context.Context) (err error) {
	if err := a.executor.cluster.ready(); err != nil {
		return usagef("%w", err)
	}
	reach := a.executor.cluster.reach
	if reach == nil {
		return nil
	}
	for range 3 {
		if err = reach(ctx); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
	return fmt.Errorf("%w: start it, or mend %s", err, a.executor.cluster.places([]string{"address", "headers"}))
}

// refused says what the queue's no to a batch is about, and how the sweep goes on.
func (a *app) refused(name string, no *cluster.RefusedError) error {
	resume := a.resumeCommand(name)
	if a.ranBy.Path != "" {
		resume += " --cluster " + trial.Quote(a.ranBy.Path)
	}
	return fmt.Errorf("%w; mend %s, then: %s (nothing is lost; jobs that run go on)", no, a.executor.cluster.places(no.Settings), resume)
}

// clusterLog tells of trouble with the cluster as the scheduler tells of its own.
func (a *app) clusterLog() *slog.Logger {
	level := slog.LevelWarn
	if a.verbose {
		level = slog.LevelDebug
	}
	if a.quiet {
		level = slog.LevelError
	}
	return newLog(a.logTo, level)
}

// chooseExecutor is the executor of that name, or what this root's trials were last run by where none is named. cluster is --cluster. What
// is wrong with one that nobody named matters to the commands that need it alone.
func (a *app) chooseExecutor(name, clusterFile, config string, pilot bool) error {
	last, err := readRanBy(a.root)
	if err == nil {
		err = a.choose(cmp.Or(name, last.Executor, executorNames()[0]), last, clusterFile, config, pilot)
	}
	if err != nil && (errors.Is(err, errNotGiven) || name == "" && clusterFile == "" && !pilot) {
		a.executor = brokenKind(last.Executor, err)
		return nil
	}
	return err
}

func (a *app) choose(name string, last ranBy, clusterFile, config string, pilot bool) error {
	kind, err := parseExecutor(name)
	if err != nil {
		return err
	}
	if kind.load == nil {
		if pilot {
			return usagef("--pilot is about a cluster's jobs: add --executor slurm or --executor ray")
		}
		if clusterFile != "" {
			return usagef("--cluster %s says what a cluster is asked for: add --executor slurm or --executor ray", clusterFile)
		}
		a.executor = kind
		return nil
	}
	var sources []sectionFile
	if path := configPath(config); path != "" {
		f, err := readSections(path)
		if err != nil {
			return err
		}
		sources = append(sources, f)
	}
	switch {
	case clusterFile != "":
		f, err := readSections(clusterFile)
		if err == nil {
			err = f.onlySections()
		}
		if err != nil {
			return err
		}
		if f.sections[name] == nil {
			a.say("warning: %s has no settings in a section %s (sweep help cluster)", clusterFile, name)
		}
		sources, a.ranBy.Cluster, a.ranBy.Path = append(sources, f), string(f.text), clusterFile
	case last.Executor == name && last.Cluster != "":
		if err := checkGiven(a.root, last); err != nil {
			return err
		}
		f, err := parseSections(last.Path+" of before", []byte(last.Cluster))
		if err != nil {
			return err
		}
		sources, a.ranBy.Cluster, a.ranBy.Path = append(sources, f), last.Cluster, last.Path
	}
	a.ranBy.Executor, a.ranBy.Pilot = name, pilot || last.Executor == name && last.Pilot
	a.executor, err = a.onCluster(kind, sources)
	if err == nil && clusterFile != "" {
		a.keepGiven(clusterFile, a.ranBy.Cluster)
	}
	return err
}

// keepRanBy writes down by what this root's trials run from now on. While trials of any sweep run somewhere else nothing changes: another
// executor could not see them, and would train them beside themselves.
func (a *app) keepRanBy(ctx context.Context, db *store.DB, s sweep.Snapshot) error {
	last, err := readRanBy(a.root)
	if err != nil {
		return err
	}
	now := a.ranBy
	now.Executor = a.executor.name
	if last == now {
		return nil
	}
	before := cmp.Or(last.Executor, executorNames()[0])
	if before != now.Executor || !last.Pilot && now.Pilot { // pilots are asked for the jobs that they were given alone
		if err := a.refuseAnotherExecutor(ctx, db, s.Sweep.ID, before); err != nil {
			return err
		}
	}
	if last == (ranBy{}) && now.Executor == executorNames()[0] {
		return nil
	}
	return trial.WriteSealed(filepath.Join(a.root, ranByFile), now)
}

// refuseAnotherExecutor fails where a trial of the root may still run by the executor of before, or another coordinator may start one.
func (a *app) refuseAnotherExecutor(ctx context.Context, db *store.DB, own int64, before string) error {
	sweeps, _, err := readSweeps(ctx, db, "")
	if err != nil {
		return err
	}
	for _, s := range sweeps {
		with := "with --executor " + before
		if before == a.executor.name {
			with = "without --pilot"
		}
		end := a.commandOn("cancel", s.Sweep.Name) + " --executor " + before
		if s.Sweep.ID != own {
			if working, err := worked(ctx, db, s.Sweep.ID); err != nil {
				return err
			} else if working {
				return usagef("a coordinator works on sweep %s of this root %s: go on with that, or take another --root, or end it first: %s",
					s.Sweep.Name, with, end)
			}
		}
		open := openAttempts(s)
		if before == executorNames()[0] { // a look at them costs nothing
			if open, err = a.living(ctx, executorKinds()[0], open); err != nil {
				return err
			}
		}
		if len(open) > 0 {
			return usagef("%s of sweep %s may still run %s: go on with that, or end what runs first: %s",
				plural(len(open), "trial"), s.Sweep.Name, with, end)
		}
	}
	return nil
}

// onNetwork reports whether a path lies on a file system that other machines may see as well.
func onNetwork(path string) bool { return store.CheckFolder(filepath.Dir(path)) != nil }

// sayUnseen warns of what jobs need and that lies on a disk of this machine alone.
func (a *app) sayUnseen(choice backend.Choice, r sweep.Registration) {
	paths := []string{a.root, a.executor.cluster.Command[0], choice.PluginPath}
	for _, l := range r.Ladders {
		paths = append(paths, l.Model.Path, l.Corpus.Path, l.Spec().LoRA.InitAdapter)
	}
	var local []string
	for _, path := range paths {
		if path == "" || !filepath.IsAbs(path) || slices.Contains(local, path) || onNetwork(path) {
			continue
		}
		if below, err := filepath.Rel(a.root, path); err == nil && filepath.IsLocal(below) && below != "." {
			continue
		}
		local = append(local, path)
	}
	if len(local) > 0 {
		a.say("warning: %s on a disk that looks like this machine's own; every node must see the same under the same path (sweep help cluster)",
			strings.Join(local, ", ")+map[bool]string{true: " lies", false: " lie"}[len(local) == 1])
	}
}
