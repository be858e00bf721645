package trainer

import (
	"github.com/ranksweep/ranksweep/trainer/model"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// readTrained reads a trial's adapter folder, be it an adapter or what trained in full. What it returns fits it to a model.
func readTrained(dir string) (fit func(model.Config) (model.Fitted, error), err error) {
	full, ok, err := weights.ReadFull(dir)
	if err != nil {
		return nil, err
	}
	if ok {
		return func(c model.Config) (model.Fitted, error) { return c.FitFull(full) }, nil
	}
	a, err := weights.ReadAdapter(dir)
	if err != nil {
		return nil, err
	}
	return func(c model.Config) (model.Fitted, error) { return c.Fit(a) }, nil
}
