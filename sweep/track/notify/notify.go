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
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ranksweep/ranksweep/sweep/track"
)

// tellTime is how long a target may take for one event.
const tellTime = 10 * time.Second

// Notices are the events that a target was told.
type Notices interface {
	Told(ctx context.Context) (map[string]bool, error)
	Tell(ctx context.Context, event string, at time.Time) error
}

// Sink tells one target the events that it was not told.
type Sink struct {
	Target  string // an address that begins with http:// or https://, else a command for the shell
	Notices Notices
	Encode  func(e Event) ([]byte, error) // as JSON
}

// Sync implements track.Sink.
func (s Sink) Sync(ctx context.Context, f track.Facts) (unsent int, err error) {
	told, err := s.Notices.Told(ctx)
	if err != nil {
		return 0, err
	}
	events := Events(f, func(id string) bool { return !told[id] })
	for i, e := range events {
		if err := s.tell(ctx, e); err != nil {
			return len(events) - i, err
		}
		if err := s.Notices.Tell(context.WithoutCancel(ctx), e.ID, time.Now().UTC()); err != nil {
			return len(events) - i, err
		}
	}
	return 0, nil
}

func (s Sink) tell(ctx context.Context, e Event) error {
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

// Name is a target in messages: of an address what comes after its host may be a secret, of a command its arguments.
func Name(target string) string {
	if !IsAddress(target) {
		command, rest, _ := strings.Cut(strings.TrimSpace(target), " ")
		if rest != "" {
			command += " …"
		}
		return "notify " + command
	}
	u, err := url.Parse(target)
	if err != nil {
		return "notify an address that cannot be read"
	}
	return "notify " + u.Scheme + "://" + u.Host + "/…"
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
	answer, err := http.DefaultClient.Do(r)
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
	if answer.StatusCode < http.StatusOK || answer.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("the webhook answers %d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
	}
	return nil
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
	switch {
	case ctx.Err() != nil && err != nil:
		return fmt.Errorf("the command took longer than %s", tellTime)
	case err != nil && said.Len() > 0:
		return fmt.Errorf("%w: %s", err, strings.Join(strings.Fields(said.String()), " "))
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
