package store

import (
	"strings"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// measureColumns lists the measures' columns of the table evaluations, each after a comma.
func measureColumns(prefix string) string {
	var columns strings.Builder
	for _, m := range trial.AllMeasures() {
		columns.WriteString(", " + prefix + m.Name)
	}
	return columns.String()
}

// measureFields are where measureColumns are read into.
func measureFields(m *trial.Measures) []any {
	var fields []any
	for _, x := range trial.AllMeasures() {
		fields = append(fields, x.Field(m))
	}
	return fields
}
