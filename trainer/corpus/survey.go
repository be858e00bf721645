package corpus

import (
	"context"
	"slices"
)

// Survey is what the training rows look like, before anything is cut.
type Survey struct {
	Lengths  []int // ids in each row that is trained on as it is (prompts with completions, chats, ids), ascending
	Packed   int64 // ids of text, which is packed into rows
	Complete bool  // all rows were looked at, not only the first ones
}

// TakeSurvey reads at most limit training rows, in file order, and returns what a run would refuse or change about them. Of packed text a
// row is one of sequence_length.
func TakeSurvey(ctx context.Context, src Source, limit int) (Survey, []string, error) {
	p, err := newPlan(ctx, src)
	if err != nil {
		return Survey{}, nil, err
	}
	s := Survey{Complete: true}
	rows := 0
	warnings, err := p.eachRow(ctx, func(r row) error {
		if rows++; rows > limit {
			s.Complete = false
			return errEnough
		}
		if r.Segments != nil {
			s.Packed += int64(len(r.IDs))
		} else {
			s.Lengths = append(s.Lengths, len(r.IDs))
		}
		return nil
	})
	slices.Sort(s.Lengths)
	return s, warnings, err
}
