package page

import (
	"math"
	"strconv"
)

// scale maps values to shares of an axis.
type scale struct {
	lo, hi float64
	log    bool
}

// span is the scale over values, with a margin on both sides as a share of their range.
func span(values []float64, log bool, margin float64) scale {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if log && v <= 0 || math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		lo, hi = min(lo, v), max(hi, v)
	}
	if lo > hi {
		lo, hi = 1, 2
	}
	if log {
		pad := max(math.Log(hi/lo)*margin, 0.1)
		return scale{lo * math.Exp(-pad), hi * math.Exp(pad), true}
	}
	pad := (hi - lo) * margin
	if pad == 0 {
		pad = max(math.Abs(hi)*0.05, 1e-6)
	}
	return scale{lo - pad, hi + pad, false}
}

// fromZero is the scale from 0 to a little above the largest value.
func fromZero(values []float64) scale {
	top := 0.0
	for _, v := range values {
		top = max(top, v)
	}
	if top == 0 {
		top = 1
	}
	return scale{0, top * 1.15, false}
}

// at is the share of the axis below v.
func (s scale) at(v float64) float64 {
	if s.log {
		return math.Log(v/s.lo) / math.Log(s.hi/s.lo)
	}
	return (v - s.lo) / (s.hi - s.lo)
}

// ticks are round values within the scale, about so many.
func (s scale) ticks(about int) []float64 {
	if s.log {
		if ticks := s.logTicks(); len(ticks) >= 2 {
			return ticks
		}
	}
	step := niceStep((s.hi - s.lo) / float64(about))
	var all []float64
	for i := math.Ceil(s.lo / step); i*step <= s.hi*(1+1e-12); i++ {
		all = append(all, i*step)
	}
	return all
}

// logTicks are powers of ten, with 2 and 5 between them where there are few.
func (s scale) logTicks() []float64 {
	factors := []float64{1}
	if s.hi/s.lo < 200 {
		factors = []float64{1, 2, 5}
	}
	var all []float64
	for e := math.Floor(math.Log10(s.lo)); e <= math.Log10(s.hi); e++ {
		for _, f := range factors {
			if v := f * math.Pow(10, e); v >= s.lo && v <= s.hi {
				all = append(all, v)
			}
		}
	}
	return all
}

// clockTicks are seconds at round times.
func (s scale) clockTicks(about int) []float64 {
	least, step := (s.hi-s.lo)/float64(about), 0.0
	for _, v := range []float64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200} {
		if v >= least {
			step = v
			break
		}
	}
	if least < 0.5 || step == 0 { // of milliseconds and days
		return s.ticks(about)
	}
	var all []float64
	for v := math.Ceil(s.lo/step) * step; v <= s.hi; v += step {
		all = append(all, v)
	}
	return all
}

// niceStep is the smallest of 1, 2 and 5 times a power of ten that is at least v.
func niceStep(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 5} {
		if f*power >= v*(1-1e-9) {
			return f * power
		}
	}
	return 10 * power
}

// plainTicks labels ticks with the decimals that tell them apart.
func (s scale) plainTicks(about int) []tick {
	values := s.ticks(about)
	decimals := 0
	if len(values) > 1 {
		decimals = min(max(0, int(math.Ceil(-math.Log10(values[1]-values[0])-1e-9))), 8)
	}
	return s.labelled(values, func(v float64) string { return strconv.FormatFloat(v, 'f', decimals, 64) })
}

func (s scale) labelled(values []float64, label func(float64) string) []tick {
	all := make([]tick, len(values))
	for i, v := range values {
		all[i] = tick{At: 100 * s.at(v), Label: label(v)}
	}
	return all
}
