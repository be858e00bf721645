package sweep

import (
	"slices"
	"strconv"
	"strings"
)

// EdgeSide is an end of an axis's list of values.
type EdgeSide string

// The ends.
const (
	EdgeNone     EdgeSide = ""
	EdgeSmallest EdgeSide = "smallest"
	EdgeLargest  EdgeSide = "largest"
)

// Edge is a tuned axis of which a candidate has the smallest or the largest value of the list: if that is the best one, a
// better one may lie beyond.
type Edge struct {
	Axis string   `json:"axis"`
	Side EdgeSide `json:"side"`
}

// EdgeOf says at which end of an axis's values one of them lies. Multiples of the rank ("2r") are numbers among themselves. Values
// that are no numbers have no ends, and nothing lies below 0.
func EdgeOf(values []string, value string) EdgeSide {
	perRank := strings.HasSuffix(value, "r")
	var numbers []float64
	for _, text := range append([]string{value}, values...) {
		number, err := strconv.ParseFloat(strings.TrimSuffix(text, "r"), 64)
		if err != nil || strings.HasSuffix(text, "r") != perRank {
			return EdgeNone
		}
		numbers = append(numbers, number)
	}
	switch v, least, most := numbers[0], slices.Min(numbers), slices.Max(numbers); {
	case least == most:
		return EdgeNone
	case v == least && v != 0:
		return EdgeSmallest
	case v == most:
		return EdgeLargest
	}
	return EdgeNone
}

// Edges returns the edges at which a candidate of the ladder lies, in the order of its axes.
func (l Ladder) Edges(candidate int) []Edge {
	var edges []Edge
	for axis, setting := range l.Candidates[candidate] {
		values := make([]string, len(l.Candidates))
		for c, other := range l.Candidates {
			values[c] = other[axis].Value
		}
		if side := EdgeOf(values, setting.Value); side != EdgeNone {
			edges = append(edges, Edge{setting.Name, side})
		}
	}
	return edges
}
