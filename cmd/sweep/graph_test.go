package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const ourModule = "github.com/ranksweep/ranksweep/"

// TestContributingDrawsTheImports holds the import graph of CONTRIBUTING.md against the code; -update draws it anew (make graph).
func TestContributingDrawsTheImports(t *testing.T) {
	t.Parallel()
	const begin, end = "<!-- import graph: begin -->\n", "<!-- import graph: end -->"
	page := readDoc(t, "CONTRIBUTING.md")
	head, rest, found := strings.Cut(page, begin)
	old, tail, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatal("CONTRIBUTING.md has no place for the import graph")
	}
	want := "```mermaid\n" + drawImports(readImports(t)) + "```\n"
	if *update {
		if err := os.WriteFile(fromTop("CONTRIBUTING.md"), []byte(head+begin+want+end+tail), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, old); diff != "" {
		t.Errorf("the import graph has changed; make graph draws it anew (-code +page):\n%s", diff)
	}
}

// readImports returns what each package of the program imports of ours, tests not counted.
func readImports(t *testing.T) map[string][]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./cmd/...", "./sweep/...",
		"./store/...", "./trainer/...")
	cmd.Dir = fromTop("")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	imports := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(strings.ReplaceAll(line, ourModule, "./"))
		name := strings.TrimPrefix(words[0], "./")
		if strings.HasSuffix(name, "test") { // shared by tests
			continue
		}
		for _, w := range words[1:] {
			if ours, ok := strings.CutPrefix(w, "./"); ok {
				imports[name] = append(imports[name], ours)
			}
		}
	}
	return imports
}

// drawImports writes the graph for Mermaid, without arrows that follow from others.
func drawImports(imports map[string][]string) string {
	var b strings.Builder
	b.WriteString("flowchart TD\n")
	for _, name := range slices.Sorted(maps.Keys(imports)) {
		for _, to := range imports[name] {
			follows := slices.ContainsFunc(imports[name], func(via string) bool { return via != to && reaches(imports, via, to) })
			if !follows {
				fmt.Fprintf(&b, "    %s --> %s\n", name, to)
			}
		}
	}
	return b.String()
}

func reaches(imports map[string][]string, from, to string) bool {
	return from == to || slices.ContainsFunc(imports[from], func(next string) bool { return reaches(imports, next, to) })
}
