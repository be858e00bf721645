// Package trial is one training run: what it is, what its worker is told, and what the worker says.
//
//   - Spec is everything that a person chose. New gives it an identity, the hash of its canonical JSON and of the fingerprints of its
//     inputs, so that a trial survives restarts and a lost database, and is shared by sweeps.
//   - Brief is a trial in few bytes: a large sweep holds hundreds of thousands, which share nearly everything.
//   - Assignment is all that a worker is told, the spec.json of an attempt's folder; AttemptID names the attempt and its folder.
//   - Event is one line of events.jsonl, the only channel from the worker; EventLog appends them, ReadEvents reads them. The lock on
//     that file proves that a worker lives.
//   - Measures (measure.go) are what an evaluation may tell beside val_loss.
//   - Outcome is how an attempt ended.
//   - References (reference.go) say what the names of models and data mean: built in, a path, or on the Hugging Face hub.
//
// The main path of a worker:
//
//	file, err := trial.LockEvents(dir)
//	log, err := trial.NewEventLog(file)
//	err = log.Emit(trial.Event{Kind: trial.EventStarted, Environment: &env})
//
// Coordinators and trainers share this package and nothing above it. It imports sweep/lora alone.
package trial
