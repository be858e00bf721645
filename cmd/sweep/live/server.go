package live

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/report/page"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
)

// Config says what a server shows, and to whom.
type Config struct {
	DB        *store.DB // open for reading
	Root      string    // holds the trials' folders
	Token     string    // that every request must have; empty where none is needed
	Loopback  bool      // the server listens on this machine alone
	HostBytes int64     // this machine's memory; 0 where it is not known
	// List returns the sweeps, as sweep list prints them, and the header of their cells.
	List func(context.Context) (header []string, sweeps []page.Listed, err error)
	// Working tells what becomes of a sweep, and a line about who works on it or how to go on.
	Working func(ctx context.Context, s sweep.Info, finished bool) (state, line string, err error)
	// Abandoned tells what becomes of a running trial of a sweep that no coordinator works on.
	Abandoned func(ctx context.Context, t *sweep.TrialFacts) (string, error)
	// Shell says how the reader's shell reaches a sweep; without it pages name no root.
	Shell func(sweep.Info) prose.Shell
}

// Server serves pages. Handler and Serve start nothing that outlives their requests.
type Server struct {
	config Config
	watch  *store.Watch
	ended  chan struct{} // closed once the server stops, which ends its streams

	mu         sync.Mutex
	generation int64 // of the database, counted by watch
	sweeps     listView
	views      map[string]*view
}

// New returns a server. The caller closes it.
func New(ctx context.Context, c Config) (*Server, error) {
	watch, err := c.DB.Watch(ctx)
	if err != nil {
		return nil, err
	}
	return &Server{config: c, watch: watch, ended: make(chan struct{}), views: map[string]*view{}}, nil
}

// Close ends the watch of the database.
func (s *Server) Close() error { return s.watch.Close() }

// Serve answers until the context ends, and then waits a moment for answers that are under way.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	const (
		header = 5 * time.Second
		whole  = 30 * time.Second // a stream sets its own with each event
		idle   = time.Minute
		grace  = 2 * time.Second
	)
	server := &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: header, ReadTimeout: whole, WriteTimeout: whole, IdleTimeout: idle,
		MaxHeaderBytes: 16 << 10, ErrorLog: log.New(io.Discard, "", 0), // it would tell of clients that went away
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	close(s.ended)
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := server.Shutdown(bounded); err != nil {
		return server.Close()
	}
	return nil
}

// ending reports whether the server is about to stop.
func (s *Server) ending() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// Handler answers requests.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.list)
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) { s.stream(w, r, s.sweeps.look(s, query(r))) })
	mux.HandleFunc("GET /sweeps/{name}", s.page)
	mux.HandleFunc("GET /sweeps/{name}/events", func(w http.ResponseWriter, r *http.Request) {
		s.stream(w, r, s.view(r.PathValue("name")).look)
	})
	mux.HandleFunc("GET /sweeps/{name}/parts/{part}", s.part)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", page.LivePolicy())
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer") // an address may have the token
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		switch {
		case s.config.Loopback && !isLoopbackHost(r.Host):
			http.Error(w, "this server answers to localhost and loopback addresses only", http.StatusMisdirectedRequest)
		case !s.admits(r):
			h.Set("WWW-Authenticate", "Bearer")
			http.Error(w, "a token is needed: ?token=TOKEN, or the header Authorization: Bearer TOKEN", http.StatusUnauthorized)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD: this server changes nothing", http.StatusMethodNotAllowed)
		default:
			mux.ServeHTTP(w, r)
		}
	})
}

// admits reports whether a request has the token. Digests are compared, so that not even its length can be measured.
func (s *Server) admits(r *http.Request) bool {
	if s.config.Token == "" {
		return true
	}
	given, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !bearer {
		given = r.URL.Query().Get("token")
	}
	want, got := sha256.Sum256([]byte(s.config.Token)), sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(want[:], got[:]) == 1
}

// isLoopbackHost reports whether a request was addressed to this machine itself.
func isLoopbackHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && addr.IsLoopback()
}

// query is what every address of a page needs where the page was reached with a token in its own.
func query(r *http.Request) string {
	if token := r.URL.Query().Get("token"); token != "" {
		return "?" + url.Values{"token": {token}}.Encode()
	}
	return ""
}

// fail answers with an error.
func fail(w http.ResponseWriter, err error) {
	code := http.StatusInternalServerError
	if errors.Is(err, sweep.ErrNotFound) || errors.Is(err, page.ErrNoPart) {
		code = http.StatusNotFound
	}
	http.Error(w, err.Error(), code)
}

// now is the database's generation: it grows with what others commit.
func (s *Server) now(ctx context.Context) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed, err := s.watch.Changed(ctx)
	if changed {
		s.generation++
	}
	return s.generation, err
}

// view is the one of a sweep, or of a name that turns out to be none.
func (s *Server) view(name string) *view {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.views[name]
	if !ok {
		v = &view{server: s, name: name}
		s.views[name] = v
	}
	return v
}

// drop forgets a view.
func (s *Server) drop(v *view) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.views, v.name)
}

// warmTrials is how many trials are read beforehand: 10,000 take 0.8 s of a core (experiments/LOG.md 2026-11-29).
const warmTrials = 30_000

// Warm reads the latest sweep, and then the latest of those that take long to read, so that their pages open at once. What goes wrong the
// page itself will say.
func (s *Server) Warm(ctx context.Context) {
	sweeps, err := s.config.DB.List(ctx)
	if err != nil || len(sweeps) == 0 {
		return
	}
	_, _ = s.view(sweeps[len(sweeps)-1].Name).look(ctx)
	room := warmTrials - sweeps[len(sweeps)-1].Trials
	for _, older := range slices.Backward(sweeps[:len(sweeps)-1]) {
		if older.Trials <= largeSweep || older.Trials > room {
			continue
		}
		room -= older.Trials
		_, _ = s.view(older.Name).look(ctx)
	}
}
