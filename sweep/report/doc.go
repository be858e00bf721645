// Package report turns a sweep's facts into what people read: Build is a pure function of a Snapshot, and a Report prints
// itself as text, JSON, CSV or a model card, and explains a verdict step by step (Explain).
//
// The verdicts are recomputed from the facts each time, never read back, so a report of a resumed sweep equals that of an
// uninterrupted one but for the fields that are measured anew: train_seconds, the peaks of memory and what is predicted
// from them. Nothing else depends on the clock or on how many attempts a trial took; the sentences of Recommendation and
// Verdict leave those measurements out, and the text adds them from their fields.
//
// A doubt travels with its number: every loss and gain carries its interval, every verdict the conditions it holds at
// (alpha, scaling, learning rate, tokens seen), and what was not measured is null or absent in JSON, empty in CSV and "-" in text.
//
// Main path:
//
//	r := report.Build(snapshot)
//	err := r.Text(os.Stdout, report.Options{Width: 100})
package report
