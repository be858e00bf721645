package report

import (
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	layout "github.com/jedib0t/go-pretty/v6/text"
)

// Table is rows of text under a header.
type Table struct {
	Header []string
	Rows   [][]string
}

// Plain lays the table out without borders. Numbers stand right; columns of words, which left names, left.
func (t Table) Plain(left ...string) string {
	style := table.StyleLight
	style.Options = table.Options{SeparateHeader: true}
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	w := t.writer(style, func(i int) bool { return !slices.Contains(left, t.Header[i]) })
	w.SuppressTrailingSpaces()
	return w.Render()
}

// Boxed lays the table out with light lines around it. Columns whose cells all start like numbers stand right.
func (t Table) Boxed() string { return t.writer(table.StyleLight, t.numeric).Render() + "\n" }

// Markdown lays the table out as Markdown.
func (t Table) Markdown() string {
	return t.writer(table.StyleLight, func(int) bool { return false }).RenderMarkdown()
}

func (t Table) writer(style table.Style, right func(column int) bool) table.Writer {
	w := table.NewWriter()
	style.Format.Header = layout.FormatDefault
	w.SetStyle(style)
	columns := make([]table.ColumnConfig, len(t.Header))
	for i := range t.Header {
		columns[i] = table.ColumnConfig{Number: i + 1}
		if right(i) {
			columns[i].Align, columns[i].AlignHeader = layout.AlignRight, layout.AlignRight
		}
	}
	w.SetColumnConfigs(columns)
	w.AppendHeader(tableRow(t.Header))
	for _, row := range t.Rows {
		w.AppendRow(tableRow(row))
	}
	return w
}

func (t Table) numeric(column int) bool {
	for _, row := range t.Rows {
		if column < len(row) && row[column] != "" && !strings.ContainsRune("+-.0123456789", rune(row[column][0])) {
			return false
		}
	}
	return len(t.Rows) > 0
}

func tableRow(cells []string) table.Row {
	row := make(table.Row, len(cells))
	for i, c := range cells {
		row[i] = c
	}
	return row
}
