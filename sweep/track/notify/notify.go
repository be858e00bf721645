package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ranksweep/ranksweep/sweep/track"
)

const (
	tellTime   = 10 * time.Second // how long a target may take for one event
	retryFirst = 2 * time.Second  // after an event was refused; it doubles with each try
	retryMost  = 5 * time.Minute
)

// Notices are the events that a target was told.
type Notices interface {
	Told(ctx context.Context) (map[string]bool, error)
	Tell(ctx context.Context, event string, at time.Time) error
}

// Sink tells one target the events that it was not told. An event that the target refuses keeps none of the others: it is tried again
// after them, ever more rarely, and at the end.
type Sink struct {
	Target  string // an address that begins with http:// or https://, else a command for the shell
	Notices Notices
	Encode  func(e Event) ([]byte, error) // as JSON
	Refused func(e Event, err error)      // hears of each refused event once
	Ending  func() bool                   // whether this look is the last

	refused map[string]bool // ids
	refusal error           // the last
	pause   time.Duration   // until they are tried again
	again   time.Time       // when that is
}

// refusal is an error of one event: others may still be told.
type refusal struct{ error }

// Sync implements track.Sink. What was refused is unsent and no error of the target's.
func (s *Sink) Sync(ctx context.Context, f track.Facts) (unsent int, err error) {
	told, err := s.Notices.Told(ctx)
	if err != nil {
		return 0, err
	}
	events, waiting := s.due(Events(f, func(id string) bool { return !told[id] }))
	for i, e := range events {
		err := s.tell(ctx, e)
		if _, ok := errors.AsType[refusal](err); ok && ctx.Err() == nil {
			s.refuse(e, err)
			waiting++
			continue
		}
		if err == nil {
			err = s.Notices.Tell(context.WithoutCancel(ctx), e.ID, time.Now().UTC())
		}
		if err != nil {
			return len(events) - i + waiting, err
		}
		delete(s.refused, e.ID)
	}
	return waiting, nil
}

// due are the events to be told now, those that were refused last, and how many wait.
func (s *Sink) due(unsent []Event) (events []Event, waiting int) {
	var before []Event
	for _, e := range unsent {
		if s.refused[e.ID] {
			before = append(before, e)
		} else {
			events = append(events, e)
		}
	}
	switch {
	case len(before) == 0:
		s.pause, s.again = 0, time.Time{}
	case !s.Ending() && time.Now().Before(s.again):
		return events, len(before)
	default:
		s.pause = min(max(2*s.pause, retryFirst), retryMost)
		s.again = time.Now().Add(s.pause)
	}
	return append(events, before...), 0
}

func (s *Sink) refuse(e Event, err error) {
	s.refusal = err
	if s.refused == nil {
		s.refused = map[string]bool{}
	}
	if !s.refused[e.ID] {
		s.refused[e.ID] = true
		s.Refused(e, err)
	}
}

// Refusal is why an event was last refused, or nil.
func (s *Sink) Refusal() error { return s.refusal }

func (s *Sink) tell(ctx context.Context, e Event) error {
	ctx, cancel := context.WithTimeout(ctx, tellTime)
	defer cancel()
	body, err := s.Encode(e)
	if err != nil {
		return err
	}
	if IsAddress(s.Target) {
		return post(ctx, s.Target, body)
	}
	return start(ctx, s.Target, e, body)
}

// IsAddress reports whether a target is a webhook.
func IsAddress(target string) bool {
	return strings.HasPrefix(target, "http://") || strings.HasPrefix(target, "https://")
}

// Name is a target in messages: of an address what comes after its host may be a secret, of a command its variables and arguments.
func Name(target string) string {
	if !IsAddress(target) {
		return "notify " + commandName(target)
	}
	u, err := url.Parse(target)
	if err != nil {
		return "notify an address that cannot be read"
	}
	return "notify " + u.Scheme + "://" + u.Host + "/…"
}

// commandName is the program that a command starts, where it is plain to see.
func commandName(command string) string {
	words := strings.Fields(command)
	for len(words) > 0 && regexp.MustCompile(`^[A-Za-z_][A-Za-z_0-9]*=[\w./:@%+,-]*$`).MatchString(words[0]) {
		words = words[1:]
	}
	switch {
	case len(words) == 0 || !regexp.MustCompile(`^[\w./~+-]+$`).MatchString(words[0]):
		return "a command"
	case len(words) > 1:
		return words[0] + " …"
	}
	return words[0]
}

// Check says what is wrong with a target.
func Check(target string) error {
	if strings.TrimSpace(target) == "" {
		return errors.New("want a command, or an address that begins with http:// or https://")
	}
	if !IsAddress(target) {
		return nil
	}
	if u, err := url.Parse(target); err != nil || u.Host == "" {
		return errors.New("the address cannot be read: want https://HOST/PATH")
	}
	return nil
}

func post(ctx context.Context, address string, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return errors.New("the address cannot be read")
	}
	r.Header.Set("Content-Type", "application/json")
	// What is redirected would arrive as a GET without the event.
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("the webhook does not answer")
	}
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return failed.Err // without the address
	}
	if err != nil {
		return err
	}
	defer answer.Body.Close() //nolint:errcheck // it is not read
	return answered(answer.StatusCode)
}

// answered is what a webhook's status means. One that says "later" has nothing against this event.
func answered(status int) error {
	failed := fmt.Errorf("the webhook answers %d %s", status, http.StatusText(status))
	switch {
	case status >= http.StatusOK && status < http.StatusMultipleChoices:
		return nil
	case status >= http.StatusMultipleChoices && status < http.StatusBadRequest:
		return fmt.Errorf("%w: it is elsewhere: give the address that it redirects to", failed)
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests, status >= http.StatusInternalServerError:
		return failed
	}
	return refusal{failed}
}

// start runs a command with the event in its environment and on its standard input. It has a process group of its own, so that a Ctrl-C
// which is meant for the sweep does not end it, and all of it ends when its time is up.
func start(ctx context.Context, command string, e Event, body []byte) error {
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Env = append(os.Environ(), "SWEEP_EVENT="+string(e.Event), "SWEEP_EVENT_SWEEP="+e.Sweep, "SWEEP_EVENT_TEXT="+e.Text)
	var said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(body), io.Discard, &limited{&said}
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	switch _, exited := errors.AsType[*exec.ExitError](err); {
	case ctx.Err() != nil && err != nil:
		return refusal{fmt.Errorf("the command took longer than %s", tellTime)}
	case errors.Is(err, exec.ErrWaitDelay): // it is done; what it has left running goes on
		return nil
	case exited && said.Len() > 0:
		return refusal{fmt.Errorf("%w: %s", err, strings.Join(strings.Fields(said.String()), " "))}
	case exited:
		return refusal{err}
	}
	return err
}

// limited keeps the beginning of what is written.
type limited struct{ w *bytes.Buffer }

func (l *limited) Write(b []byte) (int, error) {
	const most = 300
	l.w.Write(b[:min(len(b), max(0, most-l.w.Len()))])
	return len(b), nil
}
