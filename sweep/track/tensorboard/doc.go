// Package tensorboard shows runs in TensorBoard, by event files: DIR/SWEEP-ID/TRIAL/events.out.tfevents.*. The ID is
// a short digest of the sweep's key, so that sweeps of one name in several databases can share DIR.
//
// The format is TensorFlow's: records (length, masked CRC-32C, data, masked CRC-32C) of the protocol buffers Event and Summary
// (tensorflow/core/util/event.proto, core/framework/summary.proto; TensorBoard 2.21 reads them in make test-tools).
//
// What a file holds follows from a run alone, so it is continued where it is a part of that, whoever wrote it, torn records included. What
// an attempt took again makes a file of its own, with the time of that attempt in its name, and the older one is removed: nothing is
// there twice, and a TensorBoard that has the older one open reads on from the newer.
package tensorboard
