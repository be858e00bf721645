// Package starter chooses a first grid for a model, data and a machine, and writes it with a reason beside every choice. It is pure:
// whoever calls it has looked at the model and the data, and measured a few real steps in between.
//
//	choice := starter.Begin(facts)              // ranks, rows, batch: enough to train a few steps
//	… measure the lowest and the highest rank …
//	choice, fits := choice.Fit(measured)        // seeds, ranks and steps that the time allows
//	text := choice.Grid()
package starter
