package live

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/ranksweep/ranksweep/sweep/report/page"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// How often a stream asks whether anything was written, how often it then looks at most, and how long it may be silent before it says that
// it is there.
const (
	askEvery   = 150 * time.Millisecond
	lookEvery  = 300 * time.Millisecond
	aliveEvery = 15 * time.Second
	mostToSend = 30 * time.Second // then a client that takes nothing is let go
)

// list answers with the list of sweeps.
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	parts, err := s.sweeps.look(s, query(r))(r.Context())
	if err != nil {
		fail(w, err)
		return
	}
	write(w, page.LivePage{Events: "/events" + query(r), Parts: parts})
}

// page answers with the page of a sweep.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	parts, err := s.view(name).look(r.Context())
	if err != nil {
		fail(w, err)
		return
	}
	write(w, page.LivePage{
		Title: name, Home: "/" + query(r), Events: "/sweeps/" + url.PathEscape(name) + "/events" + query(r), Parts: parts,
	})
}

// write answers with a page, whole or not at all.
func write(w http.ResponseWriter, p page.LivePage) {
	var b bytes.Buffer
	if err := page.WriteLive(&b, p); err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = b.WriteTo(w) // nobody is there to be told
}

// part answers with a part that is only made when asked for.
func (s *Server) part(w http.ResponseWriter, r *http.Request) {
	part, err := s.view(r.PathValue("name")).part(r.Context(), r.PathValue("part"))
	if err != nil {
		fail(w, err)
		return
	}
	body, err := trial.PlainJSON(part)
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // nobody is there to be told
}

// stream sends parts whenever they differ from what it has sent.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, look func(context.Context) ([]page.Part, error)) {
	if _, err := look(r.Context()); err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Method == http.MethodHead {
		return
	}
	out := events{w: w, rc: http.NewResponseController(w), sent: map[string]string{}}
	out.send("retry: 1000\n\n")
	ticker := time.NewTicker(askEvery)
	defer ticker.Stop()
	for out.err == nil {
		last := s.ending()
		if parts, err := look(r.Context()); err != nil {
			out.trouble(err)
		} else {
			out.parts(parts)
		}
		if last {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-s.ended:
		case <-ticker.C:
		}
	}
}

// events writes to a stream; after an error it writes nothing.
type events struct {
	w    http.ResponseWriter
	rc   *http.ResponseController
	sent map[string]string // hashes by part
	last time.Time
	said string // the trouble told last
	err  error
}

func (e *events) send(text string) {
	if e.err != nil {
		return
	}
	e.last = time.Now()
	if e.err = e.rc.SetWriteDeadline(e.last.Add(mostToSend)); e.err != nil {
		return
	}
	if _, e.err = e.w.Write([]byte(text)); e.err == nil {
		e.err = e.rc.Flush()
	}
}

func (e *events) parts(parts []page.Part) {
	e.said = ""
	for _, p := range parts {
		if e.sent[p.ID] == p.Hash {
			continue
		}
		body, err := trial.PlainJSON(p)
		if err != nil {
			e.err = err
			return
		}
		e.send(fmt.Sprintf("data: %s\n\n", body))
		e.sent[p.ID] = p.Hash
	}
	if time.Since(e.last) > aliveEvery {
		e.send(":\n\n")
	}
}

// trouble tells what went wrong, once.
func (e *events) trouble(err error) {
	text, jsonErr := trial.PlainJSON(err.Error())
	if e.err = jsonErr; e.said != string(text) {
		e.said = string(text)
		e.send("event: trouble\ndata: " + e.said + "\n\n")
	}
}

// listView is the list of sweeps as it was last read.
type listView struct {
	mu     sync.Mutex
	pace   pace
	header []string
	sweeps []page.Listed
}

// look returns what makes the list, whose links have a query.
func (v *listView) look(s *Server, query string) func(context.Context) ([]page.Part, error) {
	return func(ctx context.Context) ([]page.Part, error) {
		v.mu.Lock()
		defer v.mu.Unlock()
		generation, err := s.now(ctx)
		if err != nil {
			return nil, err
		}
		if v.pace.due(generation) {
			begun := time.Now()
			if v.header, v.sweeps, err = s.config.List(ctx); err != nil {
				return nil, err
			}
			v.pace.done(generation, begun, lookEvery)
		}
		linked := slices.Clone(v.sweeps)
		for i := range linked {
			linked[i].URL = "/sweeps/" + url.PathEscape(linked[i].Name) + query
		}
		part, err := page.SweepsPart(v.header, linked)
		return []page.Part{part}, err
	}
}

// pace says when something that costs time may be done again: it takes at most a tenth of all time.
type pace struct {
	generation int64
	begun      time.Time
	next       time.Time
}

const share = 10

func (p *pace) done(generation int64, begun time.Time, least time.Duration) {
	now := time.Now()
	p.generation, p.begun, p.next = generation, begun, now.Add(max(least, share*now.Sub(begun)))
}

// unseen is how long something may stay unseen that writes nothing: a coordinator that was killed, a worker's output.
const unseen = 2 * time.Second

// due reports whether it may be done again and there is reason to.
func (p *pace) due(generation int64) bool {
	now := time.Now()
	return !now.Before(p.next) && (generation != p.generation || now.Sub(p.begun) >= unseen)
}
