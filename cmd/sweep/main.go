package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/ranksweep/ranksweep/sweep"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run executes one command line and returns the process's exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, clock: sweep.NewClock(), logTo: &switchWriter{w: stderr}}
	root := newRootCommand(a) //nolint:contextcheck // completion takes its command's
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
		fmt.Fprintln(stderr, "sweep: "+forPeople(stderr, msg))
	}
	return code
}
