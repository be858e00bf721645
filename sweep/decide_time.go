package sweep

import "time"

// seconds is what a trial is expected to take from its checkpoint on: as long as it, its candidate's trials of the rung, or those of the
// last rung below it would take from there by what they took so far. 0 means that none of them has trained yet.
func (p *plan) seconds(ladder, rung int, t *TrialFacts) float64 {
	from := max(0, furthest(t.Attempts))
	left := func(like *TrialFacts) int64 { return int64(like.takes(from)) }
	return time.Duration(p.nearest(ladder, rung, t, left, left)).Seconds()
}

// takes is how long a trial takes from a step on, by its attempt that trained the most: what comes before the steps is counted in full.
// 0 means that it trained nothing yet.
func (t *TrialFacts) takes(from int) time.Duration {
	var step int
	var train, total float64
	for i := range t.Attempts {
		if o := t.Attempts[i].Outcome; o != nil && o.Step > step && o.TrainSeconds > 0 {
			step, train, total = o.Step, o.TrainSeconds, max(o.TotalSeconds, o.TrainSeconds)
		}
	}
	if step == 0 {
		return 0
	}
	perStep := train / float64(step)
	left := max(0, t.Trial.Spec().TotalSteps()-from)
	beside := (total - train) * max(1, float64(t.Trial.Spec().TotalSteps())/float64(step)) // evaluations grow with the steps
	return time.Duration((perStep*float64(left) + beside) * float64(time.Second))
}
