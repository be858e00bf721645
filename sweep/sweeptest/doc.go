// Package sweeptest is what tests of sweep and of its adapters share: a store in memory, an executor whose workers live in
// (virtual) time instead of processes, and the suites that every store and every executor must pass.
//
//	sweeptest.ExerciseStore(t, func(t *testing.T) sweeptest.Store { return openRealStore(t) })
//
// MemStore and FakeExecutor are complete: the scheduler runs on them in testing/synctest, so that hours of training, crashes
// and limits pass in milliseconds and every run is the same.
package sweeptest
