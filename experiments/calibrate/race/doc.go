// Command race simulates grids of twelve cells whose truth is known and lets sweep.Decide work them off, with and without racing: how
// often the best cell, or one within min_gain of it, is outraced, and how many trials are saved. `go run ./experiments/calibrate/race`
// prints the table of README.md beside it. It is seeded: the same flags give the same table.
package main
