// Package local runs attempts as child processes of one machine: a process trains one attempt after another, pinned to its own cores, in a
// session of its own so that it outlives the coordinator and a terminal's Ctrl-C reaches only the coordinator.
//
// The attempt's folder is the whole truth: spec.json tells the worker what to do, events.jsonl carries what it did, and the
// lock on events.jsonl proves that it lives. The coordinator takes that lock before it forks and the child inherits it, so
// there is no moment at which a living worker looks dead. A successor of a killed coordinator finds its workers by the
// same lock and reads on where the database stopped.
//
// A worker whose attempt is done offers to take another of its kind (trial.Assignment.Kind), through a socket that it shares with the
// coordinator that started it, and waits a minute. What comes is the next attempt's folder and its open files, the locked event log
// among them. So a process belongs to an attempt for as long as it holds its lock, and one that dies takes only that attempt with it. The
// death of the coordinator closes the socket: a busy worker ends after its attempt, an idle one at once.
package local
