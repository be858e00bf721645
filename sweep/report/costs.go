package report

import (
	"fmt"
	"math"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/report/prose"
)

func costs(c Cost) string {
	parts := []string{count(c.TrainableParams) + " trainable parameters"}
	if p := c.peak(); p != nil {
		parts = append(parts, "a peak of "+size(*p))
	}
	if c.TrainSeconds != nil {
		parts = append(parts, Seconds(*c.TrainSeconds)+" of training"+evaluations(c)+" per trial")
	}
	return prose.List(parts)
}

// evaluations says what evaluating takes beside training.
func evaluations(c Cost) string {
	if c.EvalSeconds == nil {
		return ""
	}
	share := 100 * *c.EvalSeconds / (*c.TrainSeconds + *c.EvalSeconds)
	return fmt.Sprintf(" and %s of evaluations (%.0f%s%% of the two)", Seconds(*c.EvalSeconds), share, noBreak)
}

// extras says what another rung takes more or less than the recommended one. Memory and time are measured: a difference
// that trials of one rank show too is none.
func extras(from, to Cost) string {
	params := to.TrainableParams - from.TrainableParams
	parts := []string{moreOrLess(float64(params), count(abs(params)), "parameters")}
	if a, b := from.peak(), to.peak(); a != nil && b != nil && from.peaks().apart(to.peaks()) {
		parts = append(parts, moreOrLess(float64(*b-*a), size(abs(*b-*a)), "memory"))
	}
	if a, b := from.TrainSeconds, to.TrainSeconds; a != nil && b != nil && *a > 0 && from.seconds.apart(to.seconds) {
		share := (*b/(*a) - 1) * 100
		parts = append(parts, moreOrLess(share, fixed(math.Abs(share), 0)+noBreak+"%", "time"))
	}
	if len(parts) == 1 && from.peaks().known && to.peaks().known && from.seconds.known && to.seconds.known {
		parts = append(parts, "no measurable difference in memory and time")
	}
	return prose.List(parts)
}

func moreOrLess(change float64, amount, what string) string {
	switch {
	case amount == "0" || strings.HasPrefix(amount, "0"+noBreak):
		return "the same " + what
	case change > 0:
		return fmt.Sprintf("%s more %s", amount, what)
	case what == "parameters":
		return fmt.Sprintf("%s fewer %s", amount, what)
	}
	return fmt.Sprintf("%s less %s", amount, what)
}
