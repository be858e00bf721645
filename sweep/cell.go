package sweep

import (
	"slices"
	"strings"
)

// Axes returns the settings with more than one value in the grid: what tells this cell from its neighbours.
func (c Cell) Axes() Cell {
	return slices.DeleteFunc(slices.Clone(c), func(s Setting) bool { return !s.Axis })
}

// String writes the settings as name=value, separated by spaces.
func (c Cell) String() string {
	parts := make([]string, len(c))
	for i, s := range c {
		parts[i] = s.Name + "=" + s.Value
	}
	return strings.Join(parts, " ")
}
