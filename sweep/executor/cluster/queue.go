package cluster

import (
	"context"
	"time"
)

// Queue is a cluster's queue of jobs: as little of it as an executor needs. It keeps no state; names are all that it is asked by. Each call
// ends within some 20 s, with an error if need be. Calls of several goroutines may be under way at once.
type Queue interface {
	// Submit hands in a batch under its name: jobs that run Entry(b.Folder, their index). An error that is a *RefusedError is the queue's no;
	// after any other the batch may have been taken all the same, and Jobs tells. A batch may be handed in a second time.
	Submit(ctx context.Context, b Batch) error
	// Jobs returns what the queue, or its accounting, knows of the jobs of those batches, in one call. Jobs that it does not know are left
	// out. Of a job that it has twice, the word on the one counts that is further from its end. An error means that nothing can be said now.
	Jobs(ctx context.Context, batches []string) (map[JobID]Job, error)
	// Stop asks a job to end within its time (USR1 or TERM to its script, which passes it on to the worker, which writes a checkpoint; where
	// the queue can only kill, nothing: the worker is asked by a file, too), or kills it. One that waits is cancelled either way, and one that
	// the queue has twice, both times. A job that is gone or unknown is no error.
	Stop(ctx context.Context, id JobID, kill bool) error
	// Most is how many jobs a batch may have: 1 where the queue has no arrays.
	Most(ctx context.Context) (int, error)
}

// Batch are jobs that are alike but for the attempt that each trains: an array of Slurm.
type Batch struct {
	Name    string   // unique for all time: letters, digits and '-'
	Folder  string   // of the batch, on the shared file system: script, list of attempts, what the queue writes
	Dirs    []string // the attempts' folders, by index
	Request Request
}

// JobID names one job of a batch.
type JobID struct {
	Batch string
	Index int
}

// Request is what a job asks for, beside what the settings of the queue say.
type Request struct {
	Memory  int64         // bytes; 0: the queue's default
	Time    time.Duration // 0: the queue's default
	Devices int           // GPUs
}

// Phase is where a job stands.
type Phase string

// The phases. Pending, Running and Ending jobs may still do something; what a job that has Ended did is in its files.
const (
	Pending Phase = "pending" // it waits for a machine, or was put back into the queue
	Running Phase = "running"
	Ending  Phase = "ending" // its processes may still be there
	Ended   Phase = "ended"
	// Suspended jobs have begun and are stopped for a while, for the sake of others: they neither end nor hang.
	Suspended Phase = "suspended"
)

// Job is what a queue says of one job.
type Job struct {
	Phase Phase
	// Reason is why it ended, or why it waits, in the queue's own words, which package cause knows: "TIMEOUT", "OUT_OF_MEMORY",
	// "CANCELLED by 1000", "NODE_FAIL". Empty where it came to its own end.
	Reason string
	Exit   string // as os.ProcessState puts it, where the queue tells it: "exit status 1", "signal: killed"
	Native string // the queue's own name of the job, for people: 123_4
	Stuck  bool   // it waits for what may never come, such as more time than its partition gives
}

// RefusedError is a queue's no to a batch, which would not be taken a second time either.
type RefusedError struct {
	Reason   string
	Settings []string // that may be what is wrong
	Memory   bool     // no machine has the memory that it asks for
}

func (e *RefusedError) Error() string { return "the queue refused the job: " + e.Reason }
