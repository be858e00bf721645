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
)

// The other side, relative to the repository's root, where make runs this.
const (
	script       = "experiments/bench/peft_step.py"
	requirements = "experiments/bench/requirements.txt"
	environment  = ".venv-bench"
)

// interpreter returns the Python to use: the one given, or that of .venv-bench, which is made with pip on first use.
func interpreter(ctx context.Context, given string, stderr io.Writer) (string, error) {
	if given != "" {
		return given, nil
	}
	if _, err := os.Stat(script); err != nil {
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
	for _, command := range [][]string{
		{"python3", "-m", "venv", environment},
		{python, "-m", "pip", "install", "--quiet", "--extra-index-url", "https://download.pytorch.org/whl/cpu", "-r", requirements},
	} {
		fmt.Fprintln(stderr, command)
		cmd := exec.CommandContext(ctx, command[0], command[1:]...)
		cmd.Stdout, cmd.Stderr = stderr, stderr
		if err := cmd.Run(); err != nil {
			return "", fmt.Errorf("make %s: %w", environment, err)
		}
	}
	return python, os.WriteFile(ready, nil, 0o644)
}
