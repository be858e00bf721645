package starter

import (
	"time"

	"github.com/ranksweep/ranksweep/sweep"
)

// Facts are what a first grid is chosen by.
type Facts struct {
	Name       string // of the sweep
	Model      string // as it will stand in the grid
	Data       []string
	Validation []string // empty: a share of Data is held out

	Columns     map[string]string // data.columns
	SkipBadRows bool              // data.skip_bad_rows

	Params    int64 // of the base model
	Positions int   // its longest sequence
	MostRank  int   // min(in, out) of its narrowest linear layer

	Rows   Rows
	Budget time.Duration // for the whole sweep
	Memory int64         // bytes that the trials may use together
}

// Rows is what the training data look like to the model.
type Rows struct {
	Count    int   // rows that are trained on as they are: prompts with completions, chats, ids
	Lengths  []int // of those, in ids, ascending
	Packed   int64 // ids of text, which is packed into rows
	Complete bool  // all data were looked at, not only their beginning
}

// Measured is what a few real steps of the chosen batch showed.
type Measured struct {
	Ends      sweep.MeasuredEnds // of the lowest and the highest of Choice.Ranks
	Jobs      int                // trials that run side by side
	TrainRows int                // of Choice.SequenceLength, in all of the data
}
