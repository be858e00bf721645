package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// emit writes a command's result in the format of -o, to --out or stdout. what names it in the JSON envelope
// {"schema": "sweep.<what>/v1", ...}; v marshals to the JSON object whose fields stand beside the schema. csvRows is nil
// where a result has no sensible rows, which -o csv then refuses.
func (a *app) emit(what string, v any, table func(w io.Writer) error, csvRows func() (header []string, rows [][]string)) error {
	switch a.output {
	case "json":
		body, err := envelope(what, v)
		if err != nil {
			return err
		}
		return a.write(func(w io.Writer) error { _, err := w.Write(body); return err })
	case "csv":
		if csvRows == nil {
			return usagef("-o csv: %s has no rows; use -o json or -o table", what)
		}
		header, rows := csvRows()
		return a.write(func(w io.Writer) error { return report.WriteCSV(w, header, rows) })
	case "md", "html":
		return usagef("-o %s: %s is no report; use -o json or -o table", a.output, what)
	}
	return a.write(func(w io.Writer) error {
		text, err := fitted(a.columns(), table)
		if err != nil {
			return err
		}
		_, err = io.WriteString(w, text)
		return err
	})
}

// envelope returns v as indented JSON with its schema as the first field and a newline at the end.
func envelope(what string, v any) ([]byte, error) {
	fields, err := trial.PlainJSON(v)
	if err != nil {
		return nil, fmt.Errorf("write %s as JSON: %w", what, err)
	}
	rest, ok := bytes.CutPrefix(fields, []byte("{"))
	if !ok {
		return nil, fmt.Errorf("write %s as JSON: %T is not an object", what, v)
	}
	joined := fmt.Appendf(nil, `{"schema":%q`, schemaName(what))
	if !bytes.HasPrefix(rest, []byte("}")) {
		joined = append(joined, ',')
	}
	var out bytes.Buffer
	if err := json.Indent(&out, append(joined, rest...), "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// schemaName is how JSON calls the form of a result.
func schemaName(what string) string { return "sweep." + what + "/v1" }

// write sends a result to --out, whole or not at all, or, printable, to stdout. JSON that is made printable says the same.
func (a *app) write(render func(w io.Writer) error) error {
	var b bytes.Buffer
	if err := render(&b); err != nil {
		return err
	}
	if a.out == "" {
		text := printable
		if a.output == "table" && a.textOptions().Color {
			text = styled
		}
		_, err := io.WriteString(a.stdout, text(b.String()))
		return err
	}
	if err := trial.WriteAtomic(a.out, func(w io.Writer) error { _, err := b.WriteTo(w); return err }); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	return nil
}

// columns is the width of the terminal that results go to; 0 where they go elsewhere.
func (a *app) columns() int {
	if a.out != "" {
		return 0
	}
	return columnsOf(a.stdout)
}

// isTerminal reports whether w is a terminal: progress bars are for people only.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// textOptions fits text to the terminal that results go to; elsewhere it is plain and 100 columns wide.
func (a *app) textOptions() report.Options {
	o := report.Options{Width: 100}
	if a.out != "" || !isTerminal(a.stdout) {
		return o
	}
	if width := a.columns(); width > 0 { // some terminals do not know
		o.Width, o.Fit = min(max(width, 40), 120), true
	}
	o.Color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return o
}
