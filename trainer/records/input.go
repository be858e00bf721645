package records

import (
	"context"
	"fmt"
	"iter"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Input is one file or built-in set of a corpus.
type Input struct {
	Kind   Kind
	packed compression
	Name   string // path, or builtin:<name>
	Key    string // what identifies its content: SHA-256 of a file; "" where it was not hashed, and is not checked for changes
	Size   int64  // bytes in the file, at most, for progress
	// Columns are other names of the columns, by those here (data.columns). OwnNames takes a file that has none of these as it is.
	Columns  map[string]string
	OwnNames bool
	set      goCorpus
}

// Documents yields what the input holds, in order, and checks that it still is what was hashed.
func (in Input) Documents(ctx context.Context) iter.Seq2[Document, error] {
	switch in.Kind {
	case KindBuiltin:
		return in.set.documents(ctx)
	case KindJSONL:
		return in.jsonl(ctx)
	case KindJSON:
		return in.json(ctx)
	case KindCSV, KindTSV:
		return in.table(ctx)
	case KindParquet:
		return in.parquet(ctx)
	case KindText:
		return func(yield func(Document, error) bool) { yield(in.readText(ctx)) }
	}
	panic("unknown kind of input: " + in.Kind)
}

func (in Input) changed() error {
	return fmt.Errorf("%w: data file %s changed while it was read: run again when it is complete", trial.ErrInput, in.Name)
}
