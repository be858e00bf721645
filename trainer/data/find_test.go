package data

import (
	"context"
	"slices"
	"testing"
)

// askedHub notes what it is asked for.
type askedHub struct{ ids []string }

func (h *askedHub) DataFiles(_ context.Context, id, _ string, _ ...string) ([]string, error) {
	h.ids = append(h.ids, id)
	return nil, nil
}

// What a grid calls a data set of the hub stays one, whatever lies in the folder that the program runs in.
func TestHubNameBesideAFolder(t *testing.T) {
	t.Parallel()
	const name = "testdata/gpt2" // a folder here, but no file of a grid elsewhere
	hub := &askedHub{}
	if _, err := (resolver{hub: hub}).resolve(t.Context(), []string{name}, "train"); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(hub.ids, []string{name}) {
		t.Errorf("resolve(%s) asked the hub for %q", name, hub.ids)
	}
	if err := CheckNames([]string{name}); err != nil {
		t.Errorf("CheckNames(%s) = %v", name, err)
	}
}
