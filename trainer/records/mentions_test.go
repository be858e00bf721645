package records

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/trainer/records/recordstest"
)

func TestMentions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want []bool
	}{
		"none":         {"", []bool{false, false}},
		"both":         {`{"tools": null}`, []bool{true, true}},
		"across":       {strings.Repeat(" ", 1<<18-3) + `"tools"`, []bool{true, false}},
		"far behind":   {strings.Repeat(" ", 1<<20) + `null`, []bool{false, true}},
		"in two parts": {`"too` + strings.Repeat(" ", 1<<18) + `ls"`, []bool{false, false}},
	} {
		path := recordstest.Write(t, t.TempDir(), "a.jsonl", c.text)
		in, err := resolveFile(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := in.Mentions(t.Context(), `"tools"`, "null"); err != nil || !cmp.Equal(got, c.want) {
			t.Errorf("%s: Mentions = %v, %v, want %v", name, got, err, c.want)
		}
	}
}
