package jinja

import (
	"errors"
	"fmt"
)

// What a template may cost. The largest templates in use have 20 kB and render a conversation in some thousand units.
const (
	maxSource = 1 << 20 // bytes of a template
	maxNest   = 200     // brackets and blocks within each other, in a template or a value
	maxDepth  = 1500    // evaluations within each other: Python gives up at about 1,000 calls
	maxRange  = 100_000 // items of range(), as in jinja2's sandbox

	// budget is the units of one Render, besides those that its input brings: well below a second, and 32 MB at most.
	budget       = 2_000_000
	bytesPerUnit = 16
	inputShare   = 4 // units for each byte of input
)

// errLimit is the error of a template that does too much.
var errLimit = errors.New("the template does more than any chat format needs")

// spend takes units from the budget.
func (r *run) spend(units int) error {
	if units < 0 || units > r.left {
		r.left = 0
		return fmt.Errorf("%w: more than %d steps", errLimit, r.budget)
	}
	r.left -= units
	return nil
}

// spendBytes pays for a string of this many bytes before it is made.
func (r *run) spendBytes(n int) error {
	if n < 0 {
		return r.spend(-1)
	}
	return r.spend(1 + n/bytesPerUnit)
}

// spendTimes pays for count strings of n bytes each.
func (r *run) spendTimes(n, count int) error {
	if n > 0 && count > r.budget*bytesPerUnit/n {
		return r.spend(-1)
	}
	return r.spendBytes(n * count)
}

// enter counts evaluations within each other; leave undoes it.
func (r *run) enter() error {
	r.depth++
	if r.depth > maxDepth {
		return fmt.Errorf("%w: more than %d evaluations within each other", errLimit, maxDepth)
	}
	return r.spend(1)
}

func (r *run) leave() { r.depth-- }
