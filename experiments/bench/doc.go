// Command bench measures our training step beside PyTorch + PEFT's, side by side and interleaved: ours, theirs, ours,
// theirs, each in a process of its own on the same cores, so that a busy machine hurts both alike and each peak of memory
// is its own. It prints medians over the rounds and their ratios. It is a measurement, never a test.
//
//	go run ./experiments/bench                     make .venv-bench if need be, then measure
//	go run ./experiments/bench -rounds 1 -python ~/venv/bin/python
package main
