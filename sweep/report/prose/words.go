package prose

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// List joins items as English does: 1; 1 and 2; 1, 2 and 4.
func List[T any](items []T) string {
	words := make([]string, len(items))
	for i, item := range items {
		words[i] = fmt.Sprint(item)
	}
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// ranksText is "rank 8", or "ranks 8 and 16".
func ranksText(ranks []int) string { return either(len(ranks), "rank", "ranks") + " " + List(ranks) }

// of names the ranks that a sentence is about. Verdicts of earlier versions name none.
func of(ranks []int) string {
	if len(ranks) == 0 {
		return ""
	}
	return " of " + ranksText(ranks)
}

// does is the verb for the ranks of a finding.
func does(f plateau.Finding, one, many string) string { return either(len(f.Ranks), one, many) }

func either(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func numbers(values []float64) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = threeDigits(v)
	}
	return List(words)
}

func interval(i *plateau.Interval) string {
	return fmt.Sprintf("%s [%s, %s]", threeDigits(i.Mean), threeDigits(*i.Lo), threeDigits(*i.Hi))
}

// use says what drawn seeds are for.
func use(name string) string {
	if name == plateau.UseCertify {
		return "may certify the plateau"
	}
	return "show better how likely the plateau is"
}

// threeDigits prints three significant digits, and from 1000 on all those before the point: 0.05, 16, 1024.
func threeDigits(x float64) string { return Significant(x, 3) }

// Significant prints so many significant digits, and where that does not reach the point, all those before it: never 1.02e+03.
func Significant(x float64, digits int) string {
	text := strconv.FormatFloat(x, 'g', digits, 64)
	if strings.Contains(text, "e+") {
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	return text
}

// Apart prints a limit and values with so many significant digits, or with as many more as it takes for each value to stand on the side of
// the limit where it is: 0.02491 is below 0.02493, though both round to 0.0249.
func Apart(digits int, limit float64, values ...float64) (string, []string) {
	write := func(v float64, more int) string { return Significant(v, digits+more) }
	return ApartAs(write, write, limit, values...)
}

// ApartAs is Apart for numbers that are written otherwise, with so many more digits than usual.
func ApartAs(writeLimit, write func(v float64, more int) string, limit float64, values ...float64) (string, []string) {
	const most = 14 // with the usual ones it tells any two numbers apart
	for more := 0; ; more++ {
		bound := writeLimit(limit, more)
		texts := make([]string, len(values))
		apart := true
		for i, v := range values {
			texts[i] = write(v, more)
			apart = apart && cmp.Compare(read(texts[i]), read(bound)) == cmp.Compare(v, limit)
		}
		if apart || more >= most {
			return bound, texts
		}
	}
}

// read is the number that was printed.
func read(text string) float64 {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return math.NaN()
	}
	return v
}

// duration prints 7200 seconds as 2h.
func duration(seconds float64) string {
	text := time.Duration(seconds * float64(time.Second)).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
