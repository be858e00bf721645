package live

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode"
)

// FuzzHandler: whatever is asked for, the answer is one, says how it may be used, leads nowhere else, and changes nothing. A stream is
// whole events.
func FuzzHandler(f *testing.F) {
	for _, seed := range [][5]string{
		{"GET", "/", "", "localhost", ""},
		{"GET", "/events", "token=<b>", "localhost", ""},
		{"GET", "/sweeps/prose", "token=x", "127.0.0.1:7800", "Bearer x"},
		{"GET", "/sweeps/prose/events", "", "127.0.0.1:7800", ""},
		{"HEAD", "/sweeps/prose/events", "", "127.0.0.1:7800", ""},
		{"GET", "/sweeps/none/events", "", "[::1]", ""},
		{"GET", "/sweeps/none/parts/answer", "", "localhost", ""},
		{"GET", "/sweeps/prose/parts/trials", "", "[::1]:7800", ""},
		{"POST", "/sweeps/prose", "", "localhost", ""},
		{"GET", "/sweeps/../../etc/passwd", "", "evil.example", ""},
		{"GET", "//evil.example/..", "", "localhost.evil.example", ""},
		{"HEAD", "/sweeps/%2e%2e%2f/parts/%00", "a=%zz", "localhost:", "Basic eDp5"},
		{"OPTIONS", "*", "", "", ""},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], seed[4])
	}
	s := newScene(f, "prose", []float64{16}, nil)
	s.record(s.trials[0], 4, 4.5)
	s.record(s.trials[1], 3, 0)
	f.Fuzz(func(t *testing.T, method, path, query, host, authorization string) {
		ctx, leave := context.WithTimeout(t.Context(), time.Minute)
		defer leave()
		text := fmt.Sprintf("%s %s?%s HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\n\r\n", method, path, query, host, authorization)
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
		if err != nil {
			return
		}
		w := visitor{httptest.NewRecorder(), leave}
		s.handler.ServeHTTP(w, r.WithContext(ctx))
		h := w.Header()
		if w.Code < 200 || w.Code >= 500 {
			t.Errorf("%d: %s", w.Code, w.Body)
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") ||
			h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%d has the headers %v", w.Code, h)
		}
		if to := h.Get("Location"); to != "" && (to[0] != '/' || strings.HasPrefix(to, "//") || strings.ContainsFunc(to, unicode.IsControl)) {
			t.Errorf("leads to %q", to)
		}
		if w.Code == http.StatusOK && (!isLoopbackHost(r.Host) || r.Method != http.MethodGet && r.Method != http.MethodHead) {
			t.Errorf("%s to host %q was answered", r.Method, r.Host)
		}
		if strings.HasPrefix(h.Get("Content-Type"), "text/event-stream") && r.Method != http.MethodHead {
			mustBeEvents(t, w.Body.String())
		}
		if n := len(s.server.views); n > 1 {
			t.Errorf("the server keeps %d views of one sweep", n)
		}
	})
}

// visitor takes an answer, and leaves a stream once it has had some of it.
type visitor struct {
	*httptest.ResponseRecorder
	leave context.CancelFunc
}

func (visitor) SetWriteDeadline(time.Time) error { return nil }

func (v visitor) Flush() {
	if strings.Contains(v.Body.String(), "data: ") {
		v.leave()
	}
}

// mustBeEvents fails where a stream is not what TestStream reads: parts, none of them trouble, and when to come again.
func mustBeEvents(t *testing.T, stream string) {
	t.Helper()
	if !strings.HasSuffix(stream, "\n\n") || !strings.Contains(stream, "data: ") {
		t.Errorf("a stream ends within an event: %q", stream)
	}
	for event := range strings.SplitSeq(strings.TrimSuffix(stream, "\n\n"), "\n\n") {
		data, isPart := strings.CutPrefix(event, "data: ")
		if event != "retry: 1000" && (!isPart || !json.Valid([]byte(data))) {
			t.Errorf("a stream has the event %q", event)
		}
	}
}
