package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// none stands in text for what is not known.
const none = "-"

// noBreak is a space at which wrap keeps a number or a command together; it is printed as a plain one.
const noBreak = prose.NoBreak

// digits is the number of decimals that shows min_gain with two significant digits: finer ones are noise to the reader.
func digits(minGain float64) int {
	if minGain <= 0 {
		return 4
	}
	return min(max(1-int(math.Floor(math.Log10(minGain))), 2), 8)
}

// fixed prints v with so many decimals, and zero without a sign.
func fixed(v float64, decimals int) string {
	text := strconv.FormatFloat(v, 'f', decimals, 64)
	if strings.Trim(text, "-0.") == "" {
		return strings.TrimPrefix(text, "-")
	}
	return text
}

// number prints v as people write it: 0.003, 2e-05, 16, 2097152.
func number(v float64) string { return prose.Significant(v, 6) }

// plusMinus prints a mean with half the width of its interval.
func plusMinus(i plateau.Interval, decimals int) string {
	if i.Lo == nil || i.Hi == nil {
		return fixed(i.Mean, decimals)
	}
	return fixed(i.Mean, decimals) + " ±" + fixed((*i.Hi-*i.Lo)/2, decimals)
}

// bounds prints "0.031 [0.010, 0.052]".
func bounds(i plateau.Interval, decimals int) string {
	if i.Lo == nil || i.Hi == nil {
		return fixed(i.Mean, decimals)
	}
	return fmt.Sprintf("%s [%s, %s]", fixed(i.Mean, decimals), fixed(*i.Lo, decimals), fixed(*i.Hi, decimals))
}

// Count writes a count with a space between thousands: 1 070 000.
func Count(n int64) string {
	s := fmt.Sprint(n)
	sign := ""
	if n < 0 {
		sign, s = s[:1], s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return sign + s
}

// count is Count for text that is wrapped.
func count(n int64) string { return tied(Count(n)) }

// size is trial.FormatBytes for text that is wrapped.
func size(n int64) string { return tied(trial.FormatBytes(n)) }

// tied keeps a number and its unit on one line.
func tied(number string) string { return strings.ReplaceAll(number, " ", noBreak) }

// Duration writes a duration with the two units that matter: 850ms, 12.3s, 4m05s, 2h07m.
func Duration(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + Duration(-d)
	case d < 999*time.Millisecond+500*time.Microsecond:
		return fmt.Sprintf("%dms", d.Round(time.Millisecond).Milliseconds())
	case d < 59*time.Second+950*time.Millisecond:
		return fmt.Sprintf("%.1fs", d.Round(100*time.Millisecond).Seconds())
	case d < time.Hour-500*time.Millisecond:
		d = d.Round(time.Second)
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	}
	d = d.Round(time.Minute)
	return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
}

// Seconds writes seconds as Duration does.
func Seconds(s float64) string { return Duration(time.Duration(math.Round(s * float64(time.Second)))) }

// Epochs writes how often rows are seen: 3 epochs, 1.34 epochs, 0.0213 epochs.
func Epochs(n float64) string {
	text := prose.Significant(n, 3)
	if text == "1" {
		return "1 epoch"
	}
	return text + " epochs"
}

// chance prints a probability, never as a certainty.
func chance(p float64) string {
	switch {
	case p < 0.001:
		return "< 0.001"
	case p > 0.999:
		return "> 0.999"
	}
	return number(roundTo(p, 3))
}

func optional[T any](v *T, format func(T) string) string {
	if v == nil {
		return none
	}
	return format(*v)
}

// wrap breaks text at spaces to lines of at most width characters, or of one word that is longer. All but the first start with indent,
// which does not count.
func wrap(text string, width int, indent string) string {
	var b strings.Builder
	column := 0
	words := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '\n' || r == '\t' })
	for i, word := range words {
		length := len([]rune(word))
		switch {
		case i == 0:
		case column+1+length > width:
			b.WriteString("\n" + indent)
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += length
	}
	return b.String()
}

// roundTo rounds v to so many significant digits.
func roundTo(v float64, significant int) float64 {
	if v == 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return v
	}
	scale := math.Pow(10, float64(significant-1)-math.Floor(math.Log10(math.Abs(v))))
	return math.Round(v*scale) / scale
}

func plural(noun string, n int) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}

func orNone(s string) string {
	if s == "" {
		return none
	}
	return s
}

func abs(n int64) int64 { return max(n, -n) }

// Hidden reports whether a character would act on a terminal, or on the text around it, instead of being seen.
func Hidden(r rune) bool {
	return r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp))
}
