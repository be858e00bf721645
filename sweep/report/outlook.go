package report

import (
	"fmt"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
)

// Left says how long a sweep takes yet, as "4s to 2m05s left"; empty where that is not known or nothing is left.
func Left(o sweep.Outlook) string {
	least, most := o.Least.Round(time.Second), o.Most.Round(time.Second)
	switch {
	case !o.Timed || most == 0:
		return ""
	case least == most:
		return Foreseen(most) + " left"
	case least == 0:
		return fmt.Sprintf("up to %s left", Foreseen(most))
	}
	return fmt.Sprintf("%s to %s left", Foreseen(least), Foreseen(most))
}

// Foreseen writes how long something takes yet, no finer than anybody can foresee.
func Foreseen(d time.Duration) string {
	const long = 5 * time.Minute
	switch {
	case d > time.Hour:
		return Duration(d.Round(time.Minute))
	case d > long:
		return Duration(d.Round(10 * time.Second))
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	}
	return Duration(d)
}
