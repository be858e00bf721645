package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/cmd/sweep/live"
	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/report/page"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// tokenVariable is where --token comes from without the flag, which everyone on the machine could read in the list of processes.
const tokenVariable = "SWEEP_SERVE_TOKEN"

// shortestToken is what 64 bits take in hexadecimal digits: any number of requests may be tried.
const shortestToken = 16

func newServeCommand(a *app) *cobra.Command {
	var s serving
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Show the root's sweeps in a browser, live",
		Long: `serve prints the address of a page that lists the sweeps in the root. Each has the page that 'sweep report -o html' writes, kept
fresh while it runs: the ladders rank by rank, what trains now with its curves, memory and log, how many of at most how many
trials are over, and how long the others take at most. A sweep of more than 1000 trials loads its tables and charts when asked.

It reads only, never holds up a sweep that runs, and goes on when the sweep has ended, until Ctrl-C or SIGTERM. It serves
this machine alone; from another one, use ssh -L. An address that others reach needs a token: --token, or better the environment
variable SWEEP_SERVE_TOKEN, of 16 characters or more. Requests then have it as ?token=TOKEN or as the header
Authorization: Bearer TOKEN. The connection is not encrypted.`,
		Example: `  sweep serve
  sweep serve --addr 127.0.0.1:0
  ssh -L 7800:127.0.0.1:7800 gpu-machine       then open http://127.0.0.1:7800 here
  SWEEP_SERVE_TOKEN=$(openssl rand -hex 16) sweep serve --addr 0.0.0.0:7800`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.serve(cmd.Context(), s) },
	}
	s.addAddress(cmd)
	return cmd
}

// serving is where a live page is served, and who may see it.
type serving struct {
	on       bool // with run and resume
	addr     string
	token    string
	listener net.Listener // nil before listen
}

func (s *serving) addAddress(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.addr, "addr", "127.0.0.1:7800", "address to serve at; port 0 takes a free one")
	cmd.Flags().StringVar(&s.token, "token", "", "what every request must have (default: the environment's "+tokenVariable+")")
}

func (s *serving) addFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&s.on, "serve", false, "show the sweep in a browser while it runs (see sweep serve)")
	s.addAddress(cmd)
}

// listen takes the address, or says why it may not be had.
func (s *serving) listen(ctx context.Context) error {
	source := "--token"
	if s.token == "" {
		s.token, source = os.Getenv(tokenVariable), tokenVariable
	}
	at, err := net.ResolveTCPAddr("tcp", s.addr)
	if err != nil {
		return usagef("--addr %s: %w; want HOST:PORT, for example 127.0.0.1:7800", s.addr, err)
	}
	if s.token == "" && !at.IP.IsLoopback() {
		return usagef("--addr %s can be reached from other machines, and the page shows grids, paths and logs: give --token or %s, or serve at "+
			"127.0.0.1 and use ssh -L", s.addr, tokenVariable)
	}
	if n := len(s.token); n > 0 && n < shortestToken {
		return usagef("%s has %d characters and may be guessed: want %d or more; without --token, %s=$(openssl rand -hex 16) sets one", source, n,
			shortestToken, tokenVariable)
	}
	var config net.ListenConfig
	if s.listener, err = config.Listen(ctx, "tcp", at.String()); err != nil {
		return fmt.Errorf("--addr %s: %w; port 0 takes a free one", s.addr, err)
	}
	return nil
}

// beside takes the address before the work begins, which may last for hours, and gives it back.
func (s *serving) beside(cmd *cobra.Command, work func() error) error {
	if !s.on {
		for _, name := range []string{"addr", "token"} {
			if cmd.Flags().Changed(name) {
				return usagef("--%s is of --serve: give that too", name)
			}
		}
		return work()
	}
	if err := s.listen(cmd.Context()); err != nil {
		return err
	}
	defer s.listener.Close() //nolint:errcheck // the server that took it may have closed it
	return work()
}

// url is where the pages are. A token is left out: what is printed may be kept.
func (s *serving) url() string { return "http://" + s.listener.Addr().String() + "/" }

// serve shows the root's sweeps until it is asked to end.
func (a *app) serve(ctx context.Context, s serving) (err error) {
	db, err := a.openReadOnly(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := s.listen(ctx); err != nil {
		return err
	}
	defer s.listener.Close() //nolint:errcheck // the server closes it
	server, err := a.newLive(ctx, db, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	fmt.Fprintln(a.stdout, s.url())
	a.say("serving %s; Ctrl-C ends it", a.root)
	var warm sync.WaitGroup
	warm.Go(func() { server.Warm(ctx) })
	defer warm.Wait()
	return server.Serve(ctx, s.listener)
}

// showLive serves the page of a sweep that this process works on; the address was taken before. Whoever calls it calls hide.
func (a *app) showLive(ctx context.Context, name string) (hide func(), err error) {
	if !a.serving.on {
		return func() {}, nil
	}
	db, err := a.openReadOnly(ctx)
	if err != nil {
		return func() {}, err
	}
	server, err := a.newLive(ctx, db, a.serving)
	if err != nil {
		return func() {}, errors.Join(err, db.Close())
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, a.serving.listener) }()
	a.say("live page: %ssweeps/%s", a.serving.url(), name)
	return func() {
		cancel()
		if err := errors.Join(<-ended, server.Close(), db.Close()); err != nil {
			a.say("warning: live page: %v", err)
		}
		a.say("the live page has ended with the run; sweep serve shows it again")
	}, nil
}

// newLive returns a server of what a database holds.
func (a *app) newLive(ctx context.Context, db *store.DB, s serving) (*live.Server, error) {
	host, err := backend.HostMemory()
	if err != nil {
		return nil, err
	}
	workers, err := a.look(nil)
	if err != nil {
		return nil, err
	}
	at, _ := s.listener.Addr().(*net.TCPAddr)
	return live.New(ctx, live.Config{
		DB: db, Root: a.root, Token: s.token, Loopback: at != nil && at.IP.IsLoopback(), HostBytes: host, Shell: a.shellOf,
		List: func(ctx context.Context) ([]string, []page.Listed, error) {
			sweeps, err := listSweeps(ctx, db)
			if err != nil {
				return nil, nil, err
			}
			var all []page.Listed
			for i, row := range listRows(sweeps) {
				all = append(all, page.Listed{Name: sweeps[i].Name, State: string(sweeps[i].State), Cells: row[2:]})
			}
			return listHeader(), all, nil
		},
		Working: func(ctx context.Context, info sweep.Info, finished bool) (state, line string, err error) {
			return a.working(ctx, db, info, finished)
		},
		Abandoned: func(ctx context.Context, t *sweep.TrialFacts) (string, error) { return abandoned(ctx, workers, t) },
	})
}

// working tells what becomes of a sweep, and a line about who works on it or how to go on.
func (a *app) working(ctx context.Context, db *store.DB, info sweep.Info, finished bool) (state, line string, err error) {
	holder, err := db.Holder(ctx, info.ID)
	if err != nil {
		return "", "", err
	}
	c, err := newCoordinator(db, info.ID, holder, time.Now())
	if err != nil {
		return "", "", err
	}
	switch p := progressOf(finished, c, info.Asked); {
	case p == progressPaused && c.works():
		return string(p), "Nothing new starts until: " + a.resumeCommand(info.Name), nil
	case p == progressWaiting:
		return string(p), "N" + strings.TrimPrefix(waitLine(c.WaitsFor), "n"), nil
	case c.works():
		return string(p), fmt.Sprintf("Process %d on %s works on it since %s.", c.PID, c.Host, c.Started.UTC().Format(utcTime)), nil
	case p == progressFinished:
		return string(p), "Nothing is left to train.", nil
	default:
		return string(p), "No process works on it; continue with: " + a.resumeCommand(info.Name), nil
	}
}
