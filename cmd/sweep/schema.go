package main

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/sweep/grid"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/track/notify"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

func newSchemaCommand(a *app) *cobra.Command {
	names := slices.Sorted(maps.Keys(outputTypes()))
	return &cobra.Command{
		Use:   "schema [OUTPUT]",
		Short: "Print the JSON Schema of the grid file, or of what a command prints with -o json",
		Long: `schema prints a JSON Schema (draft 2020-12), whatever -o says.

Without OUTPUT it is that of the grid file: every key, its values, its default. Editors that know it complete keys and
mark mistakes while you write. What needs the model's files (widths, module names, positions) is checked by sweep validate.

OUTPUT is the name in the middle of the output's "schema", report of sweep.report/v1: mostly the command's. Later versions
of v1 may have more fields and values, so a reader lets those pass that it does not know.
There are ` + namesInLines(names) + `.`,
		Example: `  sweep schema --out grid.schema.json
  # first line of a grid, for editors with a YAML language server:
  # yaml-language-server: $schema=grid.schema.json
  sweep schema report`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.writeSchema(grid.Schema())
			}
			types, ok := outputTypes()[args[0]]
			if !ok {
				meant := ""
				if name, near := grid.Nearest(args[0], names); near {
					meant = "; did you mean " + name
				}
				return usagef("no output %q%s; there are %s", args[0], meant, strings.Join(names, ", "))
			}
			s, err := outputSchema(args[0], types)
			if err != nil {
				return err
			}
			return a.writeSchema(s)
		},
	}
}

func namesInLines(names []string) string {
	var lines []string
	for some := range slices.Chunk(names, 10) {
		lines = append(lines, strings.Join(some, ", "))
	}
	return strings.Join(lines, ",\n")
}

func (a *app) writeSchema(s any) error {
	body, err := trial.PlainJSON(s)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, body, "", "  "); err != nil {
		return err
	}
	out.WriteByte('\n')
	return a.write(func(w io.Writer) error { _, err := w.Write(out.Bytes()); return err })
}

// outputTypes are the types of the results that commands print with -o json, by what their schema calls them.
func outputTypes() map[string][]reflect.Type {
	return map[string][]reflect.Type{
		"backend":         {reflect.TypeFor[backend.Choice]()},
		"backend_install": {reflect.TypeFor[backend.Choice]()},
		"backends":        {reflect.TypeFor[backendList]()},
		"data":            {reflect.TypeFor[dataView]()},
		"diff":            {reflect.TypeFor[report.Diff]()},
		"doctor":          {reflect.TypeFor[diagnosis]()},
		"eval":            {reflect.TypeFor[evalView]()},
		"explain":         {reflect.TypeFor[report.Explanation]()},
		"export":          {reflect.TypeFor[exportView]()},
		"init":            {reflect.TypeFor[initView]()},
		"list":            {reflect.TypeFor[sweepList]()},
		"logs":            {reflect.TypeFor[attemptLogs]()},
		"metrics":         {reflect.TypeFor[curve]()},
		"notify":          {reflect.TypeFor[notify.Event]()},
		"plan":            {reflect.TypeFor[planView]()},
		"plateau":         {reflect.TypeFor[plateauResult](), reflect.TypeFor[plateauLadders]()},
		"prune":           {reflect.TypeFor[pruneView]()},
		"report":          {reflect.TypeFor[report.Report]()},
		"samples":         {reflect.TypeFor[report.Samples]()},
		"scout":           {reflect.TypeFor[scoutView]()},
		"show":            {reflect.TypeFor[shownTrial]()},
		"shrink":          {reflect.TypeFor[shrinkView]()},
		"status":          {reflect.TypeFor[sweepStatus]()},
		"track":           {reflect.TypeFor[trackView]()},
		"targets":         {reflect.TypeFor[targetsView]()},
		"validate":        {reflect.TypeFor[gridSummary]()},
		"version":         {reflect.TypeFor[versionView]()},
	}
}
