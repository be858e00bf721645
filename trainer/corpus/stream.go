package corpus

import (
	"context"
	"fmt"
)

// maxDoubts is how many rows a Stream warns of one by one.
const maxDoubts = 20

// Stream reads training rows, neither cut nor padded, as Samples does, but holds one at a time: the data need not fit memory.
type Stream struct{ plan *plan }

// NewStream finds and hashes the files of src.Spec.Train and loads what encodes them.
func NewStream(ctx context.Context, src Source) (*Stream, error) {
	p, err := newPlan(ctx, src)
	return &Stream{plan: p}, err
}

// Each hands every row to emit, in memory that emit may keep. It returns what a run would refuse or
// change about the rows. It can be called again, and then reads the files again; those that changed meanwhile are an error.
func (s *Stream) Each(ctx context.Context, emit func(Row) error) (warnings []string, err error) {
	rows, left := 0, 0
	more, err := s.plan.eachRow(ctx, func(r row) error {
		rows++
		for _, doubt := range s.plan.doubts(r, rows) {
			if len(warnings) < maxDoubts {
				warnings = append(warnings, doubt)
			} else {
				left++
			}
		}
		return emit(r.Row)
	})
	if left > 0 {
		warnings = append(warnings, fmt.Sprintf("%d more warnings of this kind: sweep data shows them all", left))
	}
	return append(warnings, more...), err
}
