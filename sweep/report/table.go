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

// Fit returns the table as Plain or Boxed shows it in so many columns: those that drop names go in that order, and where that is not enough
// the longest cells lose their ends. 0 means any width.
func (t Table) Fit(columns int, boxed bool, drop ...string) Table {
	if columns <= 0 {
		return t
	}
	for _, name := range drop {
		if t.width(boxed, t.widths()) <= columns {
			return t
		}
		t = t.without(name)
	}
	widths := t.widths()
	for t.width(boxed, widths) > columns {
		i := slices.Index(widths, slices.Max(widths))
		if widths[i] <= 1 {
			break
		}
		widths[i]--
	}
	return t.cut(widths)
}

// widths are those of the columns' longest cells.
func (t Table) widths() []int {
	widths := make([]int, len(t.Header))
	for _, row := range append([][]string{t.Header}, t.Rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], layout.StringWidthWithoutEscSequences(cell))
		}
	}
	return widths
}

// width is that of the whole table with columns so wide.
func (t Table) width(boxed bool, widths []int) int {
	total, between := 0, 2
	if boxed {
		total, between = 1, 3
	}
	for _, w := range widths {
		total += w + between
	}
	return total
}

func (t Table) without(name string) Table {
	i := slices.Index(t.Header, name)
	if i < 0 {
		return t
	}
	header := slices.Delete(slices.Clone(t.Header), i, i+1)
	rows := make([][]string, len(t.Rows))
	for k, row := range t.Rows {
		rows[k] = slices.Delete(slices.Clone(row), i, i+1)
	}
	return Table{header, rows}
}

func (t Table) cut(widths []int) Table {
	snip := func(row []string) []string {
		row = slices.Clone(row)
		for i, cell := range row {
			row[i] = layout.Snip(cell, widths[i], "…")
		}
		return row
	}
	rows := make([][]string, len(t.Rows))
	for i, row := range t.Rows {
		rows[i] = snip(row)
	}
	return Table{snip(t.Header), rows}
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
		if column < len(row) && row[column] != "" && !strings.ContainsRune("+-.<>0123456789", rune(row[column][0])) {
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
