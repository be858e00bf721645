package main

import (
	"errors"
	"fmt"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

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

// asUsage gives an error that a person has to fix its exit code.
func asUsage(err error) error {
	if errors.Is(err, trial.ErrInput) {
		return withCode(exitUsage, err)
	}
	return err
}

func notFoundf(format string, args ...any) error {
	return withCode(exitNotFound, fmt.Errorf(format, args...))
}

// notFound gives sweep.ErrNotFound its exit code.
func notFound(err error) error {
	if errors.Is(err, sweep.ErrNotFound) {
		return withCode(exitNotFound, err)
	}
	return err
}
