package main

import (
	"fmt"
	"strconv"
)

// nonNil makes an absent list an empty one in JSON.
func nonNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func optional[T any](v *T, format func(T) string) string {
	if v == nil {
		return ""
	}
	return format(*v)
}

func formatFloat(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }

// fullNumber writes every digit; nothing for what is not known.
func fullNumber(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'g', -1, 64)
}

// plural writes a count with its noun: 1 trial, 2 trials.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
