package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// mutant is a fault of our own: one place of the code, changed.
type mutant struct {
	breaks   string // what it breaks
	file     string
	old, new string // of which the file has one
}

// mostHistories is how many a mutant may survive.
const mostHistories = 5000

// findMutants builds the simulation once for each mutant, or those whose numbers are given, and lets it look for it. It fails where one is
// not found.
func findMutants(ctx context.Context, args []string, stdout io.Writer) error {
	list, numbers := mutants(), []int{}
	for i := range list {
		if len(args) == 0 || slices.Contains(args, strconv.Itoa(i+1)) {
			numbers = append(numbers, i)
		}
	}
	for _, i := range numbers {
		if _, err := list[i].source(); err != nil {
			return fmt.Errorf("mutant %d (%s): %w", i+1, list[i].breaks, err)
		}
	}
	root, err := os.MkdirTemp("", "mutants-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(root) }()
	fmt.Fprintln(stdout, "| | broken | in | histories until noticed | as |\n|--:|---|---|--:|---|")
	var survivors atomic.Int64
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.NumCPU())
	for _, i := range numbers {
		m := list[i]
		group.Go(func() error {
			found, err := m.find(ctx, filepath.Join(root, strconv.Itoa(i)))
			if err != nil {
				return fmt.Errorf("mutant %d (%s): %w", i+1, m.breaks, err)
			}
			if found == "" {
				survivors.Add(1)
				found = fmt.Sprintf("not in %d | ", mostHistories)
			}
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintf(stdout, "| %d | %s | `%s` | %s |\n", i+1, m.breaks, m.file, found)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if n := survivors.Load(); n > 0 {
		return fmt.Errorf("%d of %d mutants survive", n, len(numbers))
	}
	return nil
}

// source is the file with the change.
func (m mutant) source() (string, error) {
	source, err := os.ReadFile(m.file)
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(source), m.old); n != 1 {
		return "", fmt.Errorf("%s has %d places to change, want 1: bring mutantlist.go up to date", m.file, n)
	}
	return strings.Replace(string(source), m.old, m.new, 1), nil
}

// find builds the mutant beside the tree, which stays as it is, and returns after how many histories it was noticed and as what.
func (m mutant) find(ctx context.Context, dir string) (string, error) {
	source, err := m.source()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	here, err := filepath.Abs(m.file)
	if err != nil {
		return "", err
	}
	changed, overlay, binary := filepath.Join(dir, "mutant.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "simulate")
	if err := os.WriteFile(changed, []byte(source), 0o600); err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]map[string]string{"Replace": {here: changed}})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		return "", err
	}
	build := exec.CommandContext(ctx, "go", "build", "-overlay", overlay, "-o", binary, "./experiments/simulate")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w: %s", err, out)
	}
	out, err := exec.CommandContext(ctx, binary, "-jobs", "1", "-time", "1h", "-from", "1", "-histories", strconv.Itoa(mostHistories)).
		CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return "", nil
	case !errors.As(err, &exit):
		return "", err
	}
	return noticed(string(out)), nil
}

// noticed reads from a simulation's output what it found.
func noticed(out string) string {
	n := regexp.MustCompile(`(?m)^(\d+) histories`).FindStringSubmatch(out)
	_, as, found := strings.Cut(out, errWrong.Error()+": ")
	if n == nil || !found { // it has not even come to an end, as where it panics in another goroutine
		return "1 | " + strings.SplitN(out, "\n", 2)[0]
	}
	as, _, _ = strings.Cut(as, "\n")
	as = regexp.MustCompile(`^seed \d+: at [^:]*: `).ReplaceAllString(as, "")
	if len(as) > 120 {
		as = as[:120] + "…"
	}
	return n[1] + " | " + strings.ReplaceAll(as, "|", `\|`)
}
