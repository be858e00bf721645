package report

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestReportFitsTerminals: no line is wider than the terminal but that of a command, which stands whole, and a ladder's table says at least
// what each rank reached.
func TestReportFitsTerminals(t *testing.T) {
	t.Parallel()
	all := states()
	all["cells"] = cells()
	for state, f := range all {
		for _, columns := range []int{40, 80, 120} {
			t.Run(fmt.Sprint(state, columns), func(t *testing.T) {
				t.Parallel()
				got := string(text2(t, Build(f.snapshot()), Options{Width: columns, Fit: true}))
				for line := range strings.Lines(got) {
					if n := width(line); n > columns && !strings.HasPrefix(strings.TrimSpace(line), "sweep ") {
						t.Errorf("%d columns on a terminal of %d: %s", n, columns, line)
					}
				}
				for _, header := range []string{"rank", "val_loss", "decision"} {
					if !strings.Contains(got, header) {
						t.Errorf("no column %s:\n%s", header, got)
					}
				}
			})
		}
	}
}

// TestTableFits: columns go in their order, then the longest cells lose their ends; where there is room nothing changes.
func TestTableFits(t *testing.T) {
	t.Parallel()
	table := Table{[]string{"name", "state", "created", "done"}, [][]string{{"a-long-name-of-a-sweep", "running", "2026-11-29", "3"}}}
	for columns, want := range map[int][][]string{
		0:  {table.Header, table.Rows[0]},
		56: {table.Header, table.Rows[0]},
		55: {{"name", "state", "done"}, {"a-long-name-of-a-sweep", "running", "3"}},
		42: {{"name", "state"}, {"a-long-name-of-a-sweep", "running"}},
		25: {{"name", "state"}, {"a-long-nam…", "running"}},
		15: {{"name", "sta…"}, {"a-l…", "run…"}},
	} {
		got := table.Fit(columns, true, "created", "done")
		if diff := cmp.Diff(want, append([][]string{got.Header}, got.Rows...)); diff != "" {
			t.Errorf("in %d columns (-want +got):\n%s", columns, diff)
		}
		if n := width(got.Boxed()); columns > 0 && n > columns {
			t.Errorf("%d columns, want at most %d", n, columns)
		}
	}
	if got := table.Fit(30, false, "created").Plain(); width(got) > 30 {
		t.Errorf("plain in 30 columns:\n%s", got)
	}
}
