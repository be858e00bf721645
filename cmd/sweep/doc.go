// Command sweep answers "which LoRA rank should I use, and what does it cost me?": it trains a ladder of ranks, stops
// where larger ranks no longer pay, and reports why.
//
// The package holds the command line and wires the others together: what is computed, is computed in sweep, store and trainer.
// Each command has a file of its name (resume is in run.go), and those that begin with it where it is long: plan_view.go,
// export_card.go. commands.go lists them all.
//
// Where things are that commands share:
//
//   - root.go: the global flags and settings, in app; help.go: help and its topics.
//   - exit.go: exit codes; output.go: -o and --out; say.go: what goes to stderr; words.go: numbers and plurals.
//   - completion*.go: what shells complete; schema.go and jsonschema.go: JSON Schemas of what -o json prints.
//   - database.go: opening the database of a root, and finding a trial in it.
//   - gridfile.go: reading grid files; inputs.go: reading the models and data that they name.
//   - register.go: writing a sweep's ladders and trials; coordinate.go: working them off under the sweep's lease.
//   - executor.go: where trials run; backendchoice.go: what computes; worker.go: what a local trial's process runs.
//   - progress*.go: bars and lines while trials run.
package main
