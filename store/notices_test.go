package store_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNotices: each target has its own, the same again changes nothing, and no target stands in the database.
func TestNotices(t *testing.T) {
	t.Parallel()
	db, id := registered(t)
	secret := db.Notices(id, "https://example.org/secret")
	for _, event := range []string{"verdict/1", "finished", "verdict/1"} {
		if err := secret.Tell(t.Context(), event, moment(1)); err != nil {
			t.Fatal(err)
		}
	}
	for target, want := range map[string]map[string]bool{
		"https://example.org/secret": {"verdict/1": true, "finished": true}, "mail": {},
	} {
		got, err := db.Notices(id, target).Told(t.Context())
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("what %s was told: %v (-want +got):\n%s", target, err, diff)
		}
	}
	rows, err := db.Query(t.Context(), `SELECT target FROM notices`)
	if err != nil || len(rows) != 2 || strings.Contains(rows[0][0], "secret") {
		t.Errorf("targets in the database: %q, %v", rows, err)
	}
}
