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
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// mutant is a fault of our own: one place of the code, changed.
type mutant struct {
	breaks   string // what it breaks
	file     string
	old, new string // of which the file has one
}

// mostHistories is how many a mutant may survive.
const mostHistories = 20000

// findMutants builds the simulation once for each mutant and lets it look for it. It fails where one is not found.
func findMutants(ctx context.Context, args []string, stdout io.Writer) error {
	list := mutants()
	if len(args) > 0 {
		n, err := strconv.Atoi(args[0])
		if err != nil || n < 1 || n > len(list) {
			return fmt.Errorf("mutant %s: want a number from 1 to %d", args[0], len(list))
		}
		list = list[n-1 : n]
	}
	root, err := os.MkdirTemp("", "mutants-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(root) }()
	fmt.Fprintln(stdout, "| broken | in | histories until noticed | as |\n|---|---|--:|---|")
	results, survivors := make([]string, len(list)), 0
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.NumCPU())
	for i, m := range list {
		group.Go(func() error {
			found, err := m.find(ctx, filepath.Join(root, strconv.Itoa(i)))
			if err != nil {
				return fmt.Errorf("mutant %d (%s): %w", i+1, m.breaks, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if found == "" {
				survivors++
				found = fmt.Sprintf("not in %d | ", mostHistories)
			}
			results[i] = fmt.Sprintf("| %s | `%s` | %s |", m.breaks, m.file, found)
			return nil
		})
	}
	err = group.Wait()
	for _, r := range results {
		fmt.Fprintln(stdout, r)
	}
	if err == nil && survivors > 0 {
		err = fmt.Errorf("%d of %d mutants survive", survivors, len(list))
	}
	return err
}

// find builds the mutant beside the tree, which stays as it is, and returns after how many histories it was noticed and as what.
func (m mutant) find(ctx context.Context, dir string) (string, error) {
	source, err := os.ReadFile(m.file)
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(source), m.old); n != 1 {
		return "", fmt.Errorf("%s has %d places to change, want 1", m.file, n)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	here, err := filepath.Abs(m.file)
	if err != nil {
		return "", err
	}
	changed, overlay, binary := filepath.Join(dir, "mutant.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "simulate")
	if err := os.WriteFile(changed, []byte(strings.Replace(string(source), m.old, m.new, 1)), 0o600); err != nil {
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
	what := regexp.MustCompile(`(?m)^simulate: (.*)$`).FindStringSubmatch(out)
	if n == nil || what == nil { // it has not even come to an end, as where it panics in another goroutine
		lines := strings.SplitN(out, "\n", 2)
		return "1 | " + lines[0]
	}
	_, as, _ := strings.Cut(what[1], errWrong.Error()+": ")
	if len(as) > 120 {
		as = as[:120] + "…"
	}
	return n[1] + " | " + strings.ReplaceAll(as, "|", `\|`)
}
