// Command planted makes the data of the planted experiments: rows sampled from a teacher, builtin:gopher with a random
// adapter of a known rank. A sweep on them has a right answer to be held against.
//
// It is seeded; what the sweeps said is in experiments/LOG.md. Rank 0 makes the null: the teacher is the base itself.
package main
