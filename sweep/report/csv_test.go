package report_test

import (
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/report"
)

// TestCSVHasNoFormulas: spreadsheets run what begins like a formula; numbers stay numbers.
func TestCSVHasNoFormulas(t *testing.T) {
	t.Parallel()
	for cell, want := range map[string]string{
		"=cmd|'/c calc'!A0": "'=cmd|'/c calc'!A0", "+1+1": "'+1+1", "-1+1": "'-1+1", "@SUM(A1)": "'@SUM(A1)", "\t=1": "'\t=1", "-rank": "'-rank",
		"-1.5": "-1.5", "+2": "+2", "-1e-05": "-1e-05", "-": "-", "": "", "a=b": "a=b", "0.5": "0.5",
	} {
		var b strings.Builder
		if err := report.WriteCSV(&b, []string{"rank", "name"}, [][]string{{"1", cell}}); err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSuffix(strings.TrimPrefix(b.String(), "rank,name\n1,"), "\n"); strings.Trim(got, `"`) != want {
			t.Errorf("%q is written as %s, want %s", cell, got, want)
		}
	}
}
