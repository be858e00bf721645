// Package sweep is the domain of ranksweep: which LoRA ranks to train next, and what the results say.
//
// A sweep is a set of facts; one pure function, Decide, turns the facts into the next actions; everything else only
// adds facts or carries out actions. So resuming is not a feature: it is running on a database that is not empty.
//
// Words, the same in code, SQL, YAML, the command line and reports:
//
//   - sweep: one grid file being worked off.
//   - cell: one combination of every axis but rank and seed, and but what is tuned.
//   - candidate: one combination of the tuned settings; each rung stands by its best.
//   - ladder: one cell with its ranks in ascending order.
//   - rung: one rank of a ladder, with a trial for each candidate and seed (a rank, not the training budget ASHA calls a rung).
//   - reference: the ladder's targets trained in full, which its rungs are held against; no rung.
//   - trial: one training run: model, data, LoRA config, training config, seed.
//   - attempt: one launch of a trial: one folder, one event file, a process that may train others before and after.
//   - val_loss: mean token cross-entropy in nats over the supervised validation tokens, dropout off.
//   - verdict: what a ladder's facts say.
//
// Data flows one way: grid.Parse → Resolve → Planner → Store.Register → Snapshot → Decide → Executor.Start → events → Store → report.
//
// Where things are: the facts in facts.go and snapshot.go; a grid's ladders in ladderplan.go and planner.go; the next actions in
// decide.go, with one ladder's standing in standing.go; what a ladder's facts say in conclude.go; races over cells in
// race.go; the reference in reference.go; the loop in scheduler.go.
//
//	scheduler := sweep.Scheduler{Store: db, Exec: executor, Capacity: sweep.Capacity{Jobs: 2}, Root: "runs",
//		Log: log, Clock: clock}
//	snapshot, err := scheduler.Run(ctx, known, session) // Snapshot → Decide → Start → events, until nothing is left to do
//	verdicts := sweep.Conclude(snapshot).Verdicts       // one for each ladder
//
// The package knows no SQL, no GoMLX, no HTTP and starts no process; the interfaces Store and Executor stand beside the
// Scheduler that uses them.
package sweep
