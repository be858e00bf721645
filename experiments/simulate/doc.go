// Command simulate lets sweeps happen in a world that goes wrong. The shipped scheduler, Decide and database run under a clock, workers
// and a disk that a seed decides on: coordinators are killed at any call and inside any disk operation, frozen, and taken over; workers
// vanish, hang, freeze, heed no request and run out of memory, replies are lost; the time of day jumps, as after the machine slept; limits
// run out; a person pauses, cancels, retries and extends; the power goes, the disk tears, fills, fails and lies. However it went, the sweep
// must come to what it comes to when nothing goes wrong, and never break the promises that invariants.go, memory.go, limits.go and
// workers.go hold it to.
//
// One thing happens at a time, in an order that the seed alone decides: a history that must not be prints its seed, and
//
//	go run ./experiments/simulate -seed N -v
//
// replays it and prints all that happens.
package main
