package store

import "github.com/ranksweep/ranksweep/sweep/trial"

// measureColumns lists the measures' columns of the table evaluations, each behind a comma.
func measureColumns(prefix string) string {
	columns := ""
	for _, m := range trial.AllMeasures() {
		columns += ", " + prefix + m.Name
	}
	return columns
}

// measureFields are where measureColumns are read into.
func measureFields(m *trial.Measures) []any {
	var fields []any
	for _, x := range trial.AllMeasures() {
		fields = append(fields, x.Field(m))
	}
	return fields
}
