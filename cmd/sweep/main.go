// Command sweep answers "which LoRA rank should I use, and what does it cost me?": it trains a ladder of ranks, stops
// where larger ranks no longer pay, and reports why.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run executes one command line and returns the process's exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRootCommand(&app{stdin: stdin, stdout: stdout, stderr: stderr})
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	code := exitCode(err)
	if msg := err.Error(); msg != "" {
		fmt.Fprintln(stderr, "sweep: "+msg)
	}
	return code
}

// Exit codes; scripts rely on them.
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2  // usage or invalid grid, model or data
	exitIncomplete  = 3  // finished, some trials failed for good
	exitNotFound    = 5  // no such sweep, trial or ladder
	exitLocked      = 6  // another coordinator holds the sweep
	exitInterrupted = 75 // interrupted, resumable
)

// codedError carries an exit code with an error. Its text may be empty when everything has been said already.
type codedError struct {
	code int
	err  error
}

func (e codedError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e codedError) Unwrap() error { return e.err }

func withCode(code int, err error) error { return codedError{code: code, err: err} }

func usagef(format string, args ...any) error {
	return withCode(exitUsage, fmt.Errorf(format, args...))
}

func exitCode(err error) int {
	if coded, ok := errors.AsType[codedError](err); ok {
		return coded.code
	}
	return exitError
}
