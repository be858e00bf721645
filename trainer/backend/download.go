package backend

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// downloadTries is how often an interrupted download is taken up again, and idleTime how long a server may stay silent.
const (
	downloadTries = 4
	idleTime      = 30 * time.Second
)

// mostBytes bounds a download, and what an archive unpacks to: twice the largest of NVIDIA's libraries (pinnedCUDA). A CPU plug-in has
// 202 MB unpacked.
const mostBytes = 1 << 30

// download fetches url into the file at path. What is there already of the file is kept: an interrupted transfer continues where
// it stopped, if the server can. Between the tries it pauses, longer each time.
func download(ctx context.Context, url, path string, pause time.Duration, progress func(done, total int64)) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	for try := range downloadTries {
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(try) * pause):
		}
		if err = appendFrom(ctx, url, f, progress); err == nil || ctx.Err() != nil || !retryable(err) {
			break
		}
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("download %s: %w", url, err)
	}
	return nil
}

// finalError is an answer that trying again will not change.
type finalError string

func (e finalError) Error() string { return "the server answers " + string(e) }

func retryable(err error) bool {
	var final finalError
	return !errors.As(err, &final)
}

// appendFrom asks for what is still missing from f and appends it.
func appendFrom(ctx context.Context, url string, f *os.File, progress func(done, total int64)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	idle := time.AfterFunc(idleTime, func() { cancel(fmt.Errorf("no data for %v", idleTime)) })
	defer idle.Stop()
	start, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	if start > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", start))
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	switch resp.StatusCode {
	case http.StatusPartialContent:
	case http.StatusOK: // the server sends everything, again
		if err := f.Truncate(0); err != nil {
			return err
		}
		start, err = f.Seek(0, io.SeekStart)
		if err != nil {
			return err
		}
	default:
		return finalError(resp.Status)
	}
	w := &meter{to: f, done: start, total: -1, report: progress, alive: func() { idle.Reset(idleTime) }}
	if resp.ContentLength >= 0 {
		w.total = start + resp.ContentLength
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	return nil
}

// meter reports what passes through it, and lets no more pass than a download may have.
type meter struct {
	to          io.Writer
	done, total int64
	report      func(done, total int64)
	alive       func()
}

func (m *meter) Write(b []byte) (int, error) {
	if m.done+int64(len(b)) > mostBytes {
		return 0, finalError("more than " + trial.FormatBytes(mostBytes) + ", which no plug-in has")
	}
	n, err := m.to.Write(b)
	m.done += int64(n)
	m.alive()
	m.report(m.done, m.total)
	return n, err
}
