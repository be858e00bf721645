// Command basemodel makes the base models that are part of the program, from scratch, on the source code of the Go
// distribution on this machine: builtin:gopher, a byte-level BPE of 2,048 tokens and a GPT-2 of about a million parameters, and
// builtin:gopher-small, a GPT-2 of about a quarter of a million with gopher's own tokenizer, so that their losses compare.
//
// It is seeded; what came out, and with which Go, is in experiments/LOG.md.
package main
