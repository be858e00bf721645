package ray

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

// reader is a reply's body, bounded.
type reader = io.Reader

// How long replies may be: of all jobs, each with up to 20,000 characters of its log, and of an error.
const (
	longestReply = 1 << 30
	longestError = 1 << 20
)

// refusal is a reply that is no success.
type refusal struct {
	status int
	text   string
}

// Error is what Ray says in the end: a 500 is a stack of calls, and its last line says what was wrong.
func (r *refusal) Error() string {
	said := lastLine(r.text)
	switch {
	case r.status == http.StatusUnauthorized, r.status == http.StatusForbidden:
		return fmt.Sprintf("Ray wants other credentials (%d: %s): set headers, such as %s", r.status, said, exampleHeader)
	case said == "":
		return fmt.Sprintf("Ray answers %d %s", r.status, http.StatusText(r.status))
	default:
		return fmt.Sprintf("Ray answers %d: %s", r.status, said)
	}
}

// agentRefuses is how the head reports that the job agent found fault with a request, as an error of its own.
const agentRefuses = "Request failed with status code 400:"

// final reports whether the same request would be refused again.
func (r *refusal) final() bool {
	switch r.status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return true
	case http.StatusInternalServerError:
		return strings.Contains(r.text, agentRefuses)
	}
	return false
}

// exists reports whether a job was refused because there is one of that id.
func (r *refusal) exists(id string) bool {
	return strings.Contains(r.text, "Job with submission_id "+id+" already exists")
}

// mostSaid is how many characters of what a server says are told.
const mostSaid = 300

// lastLine is the last line that says something, bounded.
func lastLine(text string) string {
	for _, line := range slices.Backward(strings.Split(text, "\n")) {
		if line = strings.TrimSpace(line); strings.Trim(line, ".^~") != "" {
			return bounded(line, mostSaid)
		}
	}
	return ""
}

func bounded(text string, most int) string {
	said := []rune(strings.ToValidUTF8(text, "?"))
	return string(said[:min(most, len(said))])
}

// call sends a request, as JSON, and reads the reply into answer. A nil request or answer is none.
func (q *Queue) call(ctx context.Context, method, path string, request, answer any) error {
	var body []byte
	if request != nil {
		var err error
		if body, err = json.Marshal(request); err != nil {
			return err
		}
	}
	return q.do(ctx, q.settings().Timeout, method, path, "application/json", body, func(r reader) error {
		if answer == nil {
			return nil
		}
		if err := json.NewDecoder(r).Decode(answer); err != nil {
			return fmt.Errorf("what answers %s %s is not Ray, or was cut off: %w", method, withoutQuery(path), err)
		}
		return nil
	})
}

func (q *Queue) get(ctx context.Context, path string, read func(reader) error) error {
	return q.do(ctx, q.settings().Timeout, http.MethodGet, path, "", nil, read)
}

// do sends one request and has the body of a success read. Redirects are not followed: they would turn a submission into a question, and
// carry the headers elsewhere.
func (q *Queue) do(ctx context.Context, patience time.Duration, method, path, kind string, body []byte, read func(reader) error) error {
	header, err := q.Settings.header(os.LookupEnv)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(q.settings().Address, "/")+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header = header
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	client := http.Client{
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(r)
	if failed, ok := errors.AsType[*url.Error](err); ok && !failed.Timeout() {
		err = failed.Err
	}
	if err != nil {
		if text := err.Error(); len(text) > mostSaid { // of a reply that is no HTTP it repeats a line, which may be long
			err = errors.New(bounded(text, mostSaid))
		}
		return fmt.Errorf("%s %s of Ray at %s: %w", method, withoutQuery(path), q.settings().Address, err)
	}
	defer response.Body.Close() //nolint:errcheck // it is only read
	if to, err := response.Location(); err == nil {
		return fmt.Errorf("what answers at %s points to %s: if that is Ray, make it the address", q.settings().Address,
			bounded(to.Scheme+"://"+to.Host, mostSaid))
	}
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, longestError)) // what came of it says enough
		return &refusal{status: response.StatusCode, text: string(text)}
	}
	return read(io.LimitReader(response.Body, longestReply))
}

func withoutQuery(path string) string {
	path, _, _ = strings.Cut(path, "?")
	return path
}
