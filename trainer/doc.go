// Package trainer trains one LoRA adapter: it is what a worker process runs, and what the coordinator asks about models.
//
//   - Inspect resolves a model reference (builtin:<name>, a folder, a GGUF file, a hub id), checks its files and fingerprints them.
//   - Run trains one Assignment: one visible loop that evaluates, saves a checkpoint, takes a step and emits what happened.
//   - Evaluate scores a model, with or without an adapter, on every row of a data set.
//
// Below it, in the order in which data becomes a step: records reads files, tokenizer and chat turn them into ids, corpus into rows and
// batches, model computes; weights holds the base and the adapters, hub finds what is named owner/name, backend is what computes.
//
//	info, err := trainer.Inspect(ctx, "builtin:gopher", trainer.InspectOptions{})
//	err = trainer.Run(ctx, assignment, attemptFolder, emit)
//
// A Worker is Run for one assignment after another: it keeps the base on the device and the compiled programs. What a trial computes does
// not depend on what was trained before it.
//
// A trial interrupted between any two steps and resumed in another process equals an uninterrupted one bit for bit: its
// losses, its evaluations, its adapter. Three things make that so. The checkpoint holds everything the next step depends
// on; which rows, which dropout masks and which learning rate a step uses follow from the seed and the step's number
// alone; and events about a step are emitted before the checkpoint that contains it is announced.
//
// An attempt's folder holds, beside what its executor keeps there:
//
//	checkpoints/step-00000120.ckpt   the two newest, removed once the trial is done
//	adapter/                         the adapter of the best evaluation, as a PEFT folder
//	adapter-last/                    the adapter of the last step, where the best evaluation was another
package trainer
