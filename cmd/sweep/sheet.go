package main

import (
	"io"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
)

// sheet is a result that is laid out for so many columns, 0 meaning any number: sentences are wrapped and tables lose columns.
type sheet struct {
	columns int
	text    strings.Builder // what is to be wrapped yet
	done    strings.Builder
}

// fitted lays out what render prints.
func fitted(columns int, render func(w io.Writer) error) (string, error) {
	p := &sheet{columns: columns}
	err := render(p)
	p.flush()
	return p.done.String(), err
}

func (p *sheet) Write(b []byte) (int, error) { return p.text.Write(b) }

func (p *sheet) flush() {
	p.done.WriteString(wrapLines(p.text.String(), p.columns))
	p.text.Reset()
}

// verbatim is where w takes what must not be broken: logs, grids, rows of data.
func verbatim(w io.Writer) io.Writer {
	p, ok := w.(*sheet)
	if !ok {
		return w
	}
	p.flush()
	return &p.done
}

// writeTable prints rows under a header. Where w is too narrow, those columns that drop names go in that order.
func writeTable(w io.Writer, header []string, rows [][]string, drop ...string) error {
	columns := 0
	if p, ok := w.(*sheet); ok {
		columns = p.columns
	}
	_, err := io.WriteString(w, report.Table{Header: header, Rows: rows}.Fit(columns, true, drop...).Boxed())
	return err
}

// withTerms prints what render does, and below it the terms that stand in it.
func withTerms(render func(w io.Writer) error) func(w io.Writer) error {
	return func(w io.Writer) error {
		var text strings.Builder
		if err := render(&text); err != nil {
			return err
		}
		if err := render(w); err != nil {
			return err
		}
		_, err := io.WriteString(w, "\nWords: "+prose.Meanings(prose.NewGlossary().Explain(text.String()))+"\n")
		return err
	}
}
