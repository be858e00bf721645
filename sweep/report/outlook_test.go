package report

import (
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
)

func TestLeft(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		outlook sweep.Outlook
		want    string
	}{
		{sweep.Outlook{}, ""},
		{sweep.Outlook{Least: time.Second, Most: time.Minute}, ""},
		{sweep.Outlook{Least: 4 * time.Second, Most: 125 * time.Second, Timed: true}, "4s to 2m05s left"},
		{sweep.Outlook{Least: 4 * time.Second, Most: 4200 * time.Millisecond, Timed: true}, "4s left"},
		{sweep.Outlook{Most: 3*time.Hour + 80*time.Second, Timed: true}, "up to 3h01m left"},
		{sweep.Outlook{Most: 7*time.Minute + 13*time.Second, Timed: true}, "up to 7m10s left"},
	} {
		if got := Left(test.outlook); got != test.want {
			t.Errorf("Left(%+v) = %q, want %q", test.outlook, got, test.want)
		}
	}
}
