// Package records reads data files: text, jsonl, json, csv and tsv (each also as .gz, .zst or .bz2), parquet, and the built-in sets made
// of the Go distribution's sources. What a file is, its first bytes tell beside its name.
//
// Words:
//
//   - input: one file, or one built-in set.
//   - document: one text file, one row of a table, or one source file of a built-in set.
//   - form: what a document is made of: text; prompt and completion; chat messages; input_ids with labels; or an instruction with its
//     answer, which a chat template or Alpaca's prompt writes.
//   - columns: the names in a file of what is called text, prompt, messages and so on here (data.columns).
//
// An error of one row alone is a RowError: the rows after it can be read.
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
