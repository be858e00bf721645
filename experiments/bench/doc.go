// Command bench measures our training step and evaluation beside PyTorch + PEFT's, eager and compiled. The sides run in turn,
// each in a process of its own on the same cores, so that a busy machine hurts all alike and each peak of memory is its own.
// All read the same base, adapter settings and rows from one folder; where their first losses differ they do not do the same
// work, and that is an error. It prints medians over the rounds with the smallest and largest value, and ratios as medians
// over the rounds of ours by theirs. It is a measurement; what it computes from measurements is tested.
//
//	go run ./experiments/bench                     make .venv-bench if need be, then measure every shape
//	go run ./experiments/bench -shapes gpt2-small -dtypes float32 -sides ours,eager -rounds 1 -python ~/venv/bin/python
//	go run ./experiments/bench -shapes smoke       a tiny shape, to see that everything runs
//
// bench sweep measures the time to a verdict instead: `sweep run` in a fresh root beside a plain loop over the exhaustive
// grid, both from the start of the process.
//
//	go run ./experiments/bench sweep -grids experiments/quickstart.yaml
//
// bench memory trains a short trial of each of 22 shapes with `sweep run`, and prints the peak that was predicted before its first step
// beside the one that was measured. It needs no Python, and other work beside it does not change the figures.
//
//	go run ./experiments/bench memory -only gopher
package main
