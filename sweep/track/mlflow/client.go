package mlflow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/sweep/track"
)

// Credentials are what a server may ask for. They come from the environment alone, and stand in no message.
type Credentials struct {
	Token              string
	Username, Password string
}

// requestTime is how long a server may take to answer.
const requestTime = 10 * time.Second

// client speaks to one server.
type client struct {
	base        string // without a slash at its end
	credentials Credentials
	http        http.Client
}

// refusal is an answer that is no success.
type refusal struct {
	status int
	Code   string `json:"error_code"`
	Text   string `json:"message"`
}

func (r *refusal) Error() string {
	if r.Text == "" {
		return fmt.Sprintf("the server answers %d %s", r.status, http.StatusText(r.status))
	}
	return fmt.Sprintf("the server answers %d: %s", r.status, cut(strings.Join(strings.Fields(r.Text), " "), mostSaid))
}

// mostSaid is how many characters of what a server says are told: it may be a page.
const mostSaid = 300

// notMLflow is an answer of another server, or of none that works.
func notMLflow(why string) error { return fmt.Errorf("the server's answer is not MLflow's: %s", why) }

// Is makes what is wrong with one request alone track.ErrRefused.
func (r *refusal) Is(target error) bool {
	return target == track.ErrRefused && r.status == http.StatusBadRequest
}

func hasCode(err error, code string) bool {
	r, ok := errors.AsType[*refusal](err)
	return ok && r.Code == code
}

// add is a call that makes something of which two would be seen as two. It is awaited also where ctx ends meanwhile, for as long as any
// request may take: what the server still does for one that is given up cannot be seen.
func (c *client) add(ctx context.Context, path string, request, answer any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return c.call(context.WithoutCancel(ctx), path, request, answer)
}

// call posts a request and reads the answer into answer; a nil one is not read. A nil request gets.
func (c *client) call(ctx context.Context, path string, request, answer any) error {
	method, body := http.MethodGet, []byte(nil)
	if request != nil {
		var err error
		method = http.MethodPost
		if body, err = json.Marshal(request); err != nil {
			return err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+"/api/2.0/mlflow/"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	switch {
	case c.credentials.Token != "":
		r.Header.Set("Authorization", "Bearer "+c.credentials.Token)
	case c.credentials.Username != "":
		r.SetBasicAuth(c.credentials.Username, c.credentials.Password)
	}
	response, err := c.http.Do(r)
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("the server does not answer")
	}
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err // without the address, which the caller names
		if text := err.Error(); len(text) > mostSaid {
			err = errors.New(cut(text, mostSaid)) // of an answer that is no HTTP it repeats a line, which may be long
		}
	}
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // it is only read
	const most = 256 << 20      // a page of runs with many tags
	text, err := io.ReadAll(io.LimitReader(response.Body, most))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		failed := refusal{}
		if json.Unmarshal(text, &failed) != nil {
			failed.Text = "" // a page of a proxy
		}
		failed.status = response.StatusCode
		return &failed
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return notMLflow(err.Error())
	}
	return nil
}
