// Package cluster runs attempts as jobs of a cluster's queue. It knows no queue: Slurm and Ray are Queues.
//
// What an executor on one machine learns from a lock and a signal is late and uncertain here: a reply gets lost, a queue forgets, a state
// is stale, and files of a shared file system appear after the words about them. So every step leaves its mark first, and the attempt's own
// files count more than the queue:
//
//   - Start writes the attempt's folder (spec.json). The first look at any attempt hands in all that wait, as one Batch per Request.
//   - Before a batch is handed in, its folder has the script, and each attempt has job.json: which job of which batch it is. Its name
//     is unique: after a lost reply, or the death of the coordinator, the queue tells by name whether it has the batch.
//   - claim.json is made once, by whoever comes first: the script of a job, which then runs the attempt, or a coordinator that gives the
//     attempt up, and then nobody ever runs it. So no attempt runs twice, whatever the queue does, and one that is given up stays so.
//   - The job's script writes how the worker ended (exit) after its last event. An attempt is over once its last word and its exit can be
//     read; where they do not come, the queue's state counts after a time in which files may still appear and nothing moves, and where the
//     queue does not know the job any more, the files that are there.
package cluster
