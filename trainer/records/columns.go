package records

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// mapping gives the columns of one file the names that they have here (data.columns).
type mapping struct {
	theirs map[string]string // by the name here
	own    bool              // leave a file alone whose first row has none of them
	rows   int
	seen   map[string]bool // names here that a row had
	header []string        // all columns of a file whose first row names them; nil where rows do
	last   []string        // the columns of the last row
}

func (in Input) mapping() *mapping {
	return &mapping{theirs: in.Columns, own: in.OwnNames, seen: map[string]bool{}}
}

// apply renames a row's columns. Where some are named, they decide about the row's form, and columns of other forms do not.
func (m *mapping) apply(row jsonRow) error {
	if m == nil || len(m.theirs) == 0 {
		return nil
	}
	m.rows++
	if m.last = m.header; m.header == nil {
		m.last = slices.Sorted(maps.Keys(row))
	}
	renamed := jsonRow{}
	for name, theirs := range m.theirs {
		if v, ok := row[theirs]; ok {
			m.seen[name], renamed[name] = true, v
		}
	}
	if len(renamed) == 0 && m.rows == 1 && m.own {
		m.theirs = nil
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(m.theirs)) {
		if _, ok := renamed[name]; !ok && !isOptional(name) {
			return m.unknown(name)
		}
		delete(row, m.theirs[name])
	}
	for _, other := range otherForms(m.theirs) {
		delete(row, other)
	}
	maps.Copy(row, renamed)
	return nil
}

// unseen reports a column that may be missing in rows, but is so in all of a file.
func (m *mapping) unseen() error {
	for _, name := range slices.Sorted(maps.Keys(m.theirs)) {
		if m.rows > 0 && isOptional(name) && !m.seen[name] {
			return m.unknown(name)
		}
	}
	return nil
}

// unknown says that a column is not there, and which are.
func (m *mapping) unknown(name string) error {
	meant := ""
	if best, ok := closest(m.theirs[name], m.last); ok {
		meant = fmt.Sprintf("; did you mean %s?", best)
	}
	return fmt.Errorf("data.columns: no column %s for %s%s (columns: %s)", m.theirs[name], name, meant, cut(strings.Join(m.last, ", ")))
}

// name is what a column is called in the file.
func (m *mapping) name(name string) string {
	if m != nil && m.theirs[name] != "" {
		return m.theirs[name]
	}
	return name
}

// closest returns the name that is a typing error, another case or a part away from a wanted one.
func closest(want string, names []string) (string, bool) {
	best, distance := "", max(2, len(want)/3)+1
	for _, name := range names {
		d := editDistance(strings.ToLower(want), strings.ToLower(name))
		if strings.Contains(name, want) || strings.Contains(want, name) {
			d = min(d, 2)
		}
		if d < distance {
			best, distance = name, d
		}
	}
	return best, best != ""
}

// editDistance counts the insertions, deletions and replacements of bytes between a and b (Levenshtein), of their first 64 bytes.
func editDistance(a, b string) int {
	a, b = a[:min(len(a), 64)], b[:min(len(b), 64)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal, row[j+1] = row[j+1], min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
