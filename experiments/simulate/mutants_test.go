package main

import (
	"path/filepath"
	"testing"
)

// TestMutantsHaveTheirPlace: one whose place in the code has changed would be found out only by a run of hours.
func TestMutantsHaveTheirPlace(t *testing.T) {
	t.Parallel()
	for i, m := range mutants() {
		m.file = filepath.Join("..", "..", m.file)
		if _, err := m.source(); err != nil {
			t.Errorf("mutant %d (%s): %v", i+1, m.breaks, err)
		}
	}
}
