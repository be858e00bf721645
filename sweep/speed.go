package sweep

import (
	"slices"
	"time"
)

// SpeedWindow is how far back the speed of a trial looks: long enough to smooth, short enough to follow a busy machine.
const SpeedWindow = 20 * time.Second

// Passed is a step that a trial has passed.
type Passed struct {
	At     time.Time
	Step   int
	Tokens int64 // supervised, up to there
}

// Speed is how fast a trial goes, per second.
type Speed struct{ Steps, Tokens float64 }

// SpeedOf measures the speed over the last steps of one attempt, ascending, on the wall: evaluations and checkpoints count. It is zero
// before two of them.
func SpeedOf(passed []Passed) Speed {
	if len(passed) < 2 {
		return Speed{}
	}
	last := passed[len(passed)-1]
	first := last
	for _, p := range slices.Backward(passed[:len(passed)-1]) {
		first = p
		if last.At.Sub(p.At) >= SpeedWindow {
			break
		}
	}
	seconds := last.At.Sub(first.At).Seconds()
	if seconds <= 0 || last.Step <= first.Step {
		return Speed{}
	}
	return Speed{float64(last.Step-first.Step) / seconds, float64(last.Tokens-first.Tokens) / seconds}
}

// Left is how long so many steps take at that speed; it reports false where there is none.
func (s Speed) Left(steps int) (time.Duration, bool) {
	if s.Steps <= 0 {
		return 0, false
	}
	return time.Duration(float64(max(0, steps)) / s.Steps * float64(time.Second)), true
}
