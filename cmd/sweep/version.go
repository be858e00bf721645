package main

import (
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"
)

// version is set by the Makefile from git (-ldflags -X main.version=...).
var version = unreleased

// unreleased is the version of a program that was built without one.
const unreleased = "dev"

// versionView is the result of sweep version.
type versionView struct {
	Version  string `json:"version"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func newVersionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the program's version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := versionView{version, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
			return a.emit("version", v, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "sweep %s (%s, %s)\n", v.Version, v.Go, v.Platform)
				return err
			}, nil)
		},
	}
}
