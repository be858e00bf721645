package main

import (
	"bytes"
	"encoding/json"
	"io"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/sweep/grid"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

func newSchemaCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the grid file: every key, its values, its default",
		Long: `schema prints the JSON Schema (draft 2020-12) of the grid file, whatever -o says. Editors that know it complete keys and
mark mistakes while you write. What needs the model's files (widths, module names, positions) is checked by sweep validate.`,
		Example: `  sweep schema --out grid.schema.json
  # first line of a grid, for editors with a YAML language server:
  # yaml-language-server: $schema=grid.schema.json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			body, err := trial.PlainJSON(grid.Schema())
			if err != nil {
				return err
			}
			var out bytes.Buffer
			if err := json.Indent(&out, body, "", "  "); err != nil {
				return err
			}
			out.WriteByte('\n')
			return a.write(func(w io.Writer) error { _, err := w.Write(out.Bytes()); return err })
		},
	}
}
