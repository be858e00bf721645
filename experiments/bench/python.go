package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The other side, relative to the repository's root, where make runs this.
const (
	stepScript   = "experiments/bench/peft_step.py"
	loopScript   = "experiments/bench/peft_loop.py"
	requirements = "experiments/bench/requirements.txt"
	environment  = ".venv-bench"
)

// interpreter returns the Python to use: the one given, or that of .venv-bench, which is made with pip on first use.
func interpreter(ctx context.Context, given string, stderr io.Writer) (string, error) {
	if given != "" {
		return given, nil
	}
	if _, err := os.Stat(stepScript); err != nil {
		return "", fmt.Errorf("run it from the repository's root: %w", err)
	}
	python := filepath.Join(environment, "bin", "python")
	ready := filepath.Join(environment, "ready")
	switch _, err := os.Stat(ready); {
	case err == nil:
		return python, nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	if err := say(ctx, stderr, "python3", "-m", "venv", environment); err != nil {
		return "", err
	}
	// PyTorch's own index has a build for CPUs, a tenth the size of PyPI's. Where it cannot be reached PyPI's does as well.
	cpuOnly := []string{
		"-m", "pip", "install", "--quiet", "--retries", "0", "--index-url", "https://download.pytorch.org/whl/cpu", "-c",
		requirements, "torch",
	}
	if err := say(ctx, stderr, python, cpuOnly...); err != nil {
		fmt.Fprintf(stderr, "%v: taking PyPI's build\n", err)
	}
	if err := say(ctx, stderr, python, "-m", "pip", "install", "--quiet", "-r", requirements); err != nil {
		return "", err
	}
	return python, os.WriteFile(ready, nil, 0o644)
}

// say shows a command and runs it with its output on stderr.
func say(ctx context.Context, stderr io.Writer, name string, args ...string) error {
	fmt.Fprintln(stderr, name, strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = stderr, stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("make %s: %s: %w", environment, name, err)
	}
	return nil
}
