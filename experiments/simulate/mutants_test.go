package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMutantsHaveTheirPlace: a mutant whose place in the code has changed would be found out only by a run of hours.
func TestMutantsHaveTheirPlace(t *testing.T) {
	t.Parallel()
	for _, m := range mutants() {
		text, err := os.ReadFile(filepath.Join("..", "..", m.file))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), m.old); n != 1 {
			t.Errorf("%s: %s has its place %d times, want once", m.breaks, m.file, n)
		}
	}
}
