// Package wandb writes runs as Weights & Biases does offline: DIR/offline-run-TIME-ID/run-ID.wandb, which wandb sync uploads.
//
// The file is a log in LevelDB's framing behind a header of seven bytes, with CRC-32 of IEEE; its records are protocol buffers
// (wandb/proto/wandb_internal.proto; wandb 0.29 reads them in make test-tools). What it holds follows from a run alone, so it is
// continued where it ends; steps that were taken again make it a new file. A step has one row, written when the next one begins, for rows
// of one step cannot be added to.
package wandb
