package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/corpus"
)

// documentMark stands where another document begins in a packed row.
const documentMark = " ║ "

// writeSamples prints rows for people: what the model reads, token by token, with what is scored marked by colour or, without,
// by brackets.
func writeSamples(w io.Writer, v dataView, color bool) error {
	mark := func(s string) string { return "[" + s + "]" }
	legend := "Supervised tokens stand in [brackets]"
	if color {
		mark = func(s string) string {
			return text.Colors{text.FgGreen, text.Bold}.EscapeSeq() + s + text.Reset.EscapeSeq()
		}
		legend = "Supervised tokens are " + mark("coloured")
	}
	var b strings.Builder
	tokens, scored, packed := 0, 0, false
	for i, s := range v.Samples {
		n := countSupervised(s)
		tokens, scored, packed = tokens+len(s.InputIDs), scored+n, packed || documents(s) > 1
		fmt.Fprintf(&b, "row %d: %d token ids", i+1, len(s.InputIDs))
		if d := documents(s); d > 1 {
			fmt.Fprintf(&b, " of %d documents", d)
		}
		fmt.Fprintf(&b, ", %d supervised\n", n)
		if s.Tokens != nil {
			fmt.Fprintf(&b, "  text   %s\n  tokens %s\n", strconv.Quote(s.Text),
				joinMarked(s, "", mark, func(j int) string { return visible(s.Tokens[j]) }))
		}
		fmt.Fprintf(&b, "  ids    %s\n", joinMarked(s, " ", mark, func(j int) string { return strconv.Itoa(int(s.InputIDs[j])) }))
	}
	share := 0.0
	if tokens > 0 {
		share = 100 * float64(scored) / float64(tokens)
	}
	if packed {
		legend += ";" + documentMark + "separates documents, which do not see each other"
	}
	fmt.Fprintf(&b, "%s shown, %d token ids, %d supervised (%.1f %%). %s. Tokens of %s.\n", plural(len(v.Samples), "row"), tokens, scored,
		share, legend, v.Model)
	_, err := io.WriteString(w, b.String())
	return err
}

// isSupervised reports whether the j-th id is predicted and scored; the first of a row never is.
func isSupervised(s corpus.Sample, j int) bool { return j > 0 && s.Labels[j] != trial.IgnoredLabel }

func countSupervised(s corpus.Sample) int {
	n := 0
	for j := range s.InputIDs {
		if isSupervised(s, j) {
			n++
		}
	}
	return n
}

// documents counts the documents of a packed row.
func documents(s corpus.Sample) int {
	if len(s.Segments) == 0 {
		return 1
	}
	return int(s.Segments[len(s.Segments)-1]) + 1
}

// joinMarked joins what show says of each id, the supervised ones marked.
func joinMarked(s corpus.Sample, separator string, mark func(string) string, show func(j int) string) string {
	var b strings.Builder
	for j := range s.InputIDs {
		switch {
		case j > 0 && s.Segments != nil && s.Segments[j] != s.Segments[j-1]:
			b.WriteString(documentMark)
		case j > 0:
			b.WriteString(separator)
		}
		token := show(j)
		if isSupervised(s, j) {
			token = mark(token)
		}
		b.WriteString(token)
	}
	return b.String()
}

// visible escapes what would not show, or would move the cursor.
func visible(token string) string {
	quoted := strconv.Quote(token)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}
