package main

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"time"

	"github.com/ranksweep/ranksweep/experiments/simulate/disk"
	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
)

// ask is what a person does at a second terminal. Who pauses resumes later, and tries again where the disk refuses.
func (h *history) ask(ctx context.Context, f fault) {
	request := map[kind]sweep.RequestKind{
		personPauses: sweep.RequestPause, personResumes: sweep.RequestResume, personCancels: sweep.RequestCancel,
	}[f.kind]
	err := h.request(ctx, request)
	h.note("%s: %v", request, err)
	switch {
	case f.kind == personResumes && err != nil:
		h.then(personResumes, 5*time.Second)
	case f.kind == personResumes:
		h.paused = 0
	case err != nil:
	case f.kind == personPauses:
		h.paused = h.took
		h.then(personResumes, f.size)
		if h.rng.IntN(3) == 0 {
			h.then(secondHost, f.size-time.Second) // whose person thinks that nobody works there
		}
	default:
		for _, c := range h.lives {
			if c.leads {
				c.told = h.took
			}
		}
	}
	if err != nil && !errors.Is(err, sweep.ErrNotFound) && !h.lied && h.excused == "" {
		h.wrong("%s: %v", request, err)
	}
}

// then makes something happen after a while.
func (h *history) then(k kind, after time.Duration) {
	h.faults = append(slices.Clip(h.faults), fault{kind: k, at: h.took + after})
}

func (h *history) request(ctx context.Context, kind sweep.RequestKind) (err error) {
	h.excused = ""
	p := h.disk.NewProcess()
	defer disk.Mount(h.folder("person"), p)()
	defer p.Kill()
	db, err := store.Open(ctx, filepath.Join(h.folder("person"), database))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return db.Ask(ctx, h.id, kind, epoch.Add(h.took+h.shift))
}

// shouldKnow reports whether a coordinator that nothing holds up has had the time to hear of what a person asked then. It listens every
// second, and acts on what it hears when it is back from waiting.
func (c *coordinator) shouldKnow(asked time.Duration) bool {
	return c.h.took-max(asked, c.thawed, c.since) > time.Second+2*c.h.lazy+time.Second
}
