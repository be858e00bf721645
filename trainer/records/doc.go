// Package records reads data files: text, jsonl, csv and tsv (each also with .gz), parquet, and the built-in sets made of the Go
// distribution's sources.
//
// Words:
//
//   - input: one file, or one built-in set.
//   - document: one text file, one row of a table, or one source file of a built-in set.
//   - form: what a document is made of: text; prompt and completion; chat messages; or input_ids with labels.
//
// Files are read as streams and need not fit memory, but for text files, which are one document each. A record, a page and the metadata
// of a file are bounded before anything is made room for, so that a damaged or hostile file is an error. A file that changes while it
// is read is one too.
//
// The main path: a Resolver turns the names of data.train and its like into inputs, whose Documents are read in order.
//
//	inputs, err := records.NewResolver(hub).Resolve(ctx, []string{"train/*.jsonl", "owner/set"}, "train")
//	for doc, err := range inputs[0].Documents(ctx) {
//		…
//	}
package records
