// Package store keeps a sweep's facts in SQLite: ROOT/sweep.db. It is the only package with SQL.
//
// Facts are rows; state is derived from them, in Go by package sweep and in SQL by the views trials, rungs, screened, updates and
// verdicts, which are meant for people:
//
//	sqlite3 runs/sweep.db "select rank, seed, state, val_loss, peak_host_bytes from trials"
//
// The main path is Open → CreateSweep → StartSession → Register → BeginAttempt → AppendEvents → Snapshot, all by the
// coordinator of a sweep; reports use OpenReadOnly, which works while a coordinator writes. Every method is one
// transaction. After a crash the file holds every transaction that returned, and no half of another (WAL, synchronous=FULL).
//
// One coordinator per sweep: StartSession takes a lease whose session number fences off every write of an earlier holder.
// On one host a file lock proves that an earlier holder is dead, so that its successor starts at once; a lease held on
// another host lapses after LeaseTime without a heartbeat.
//
// Libraries: mattn/go-sqlite3 is SQLite itself, compiled in; goose applies the embedded migrations, which never change
// once released.
package store
