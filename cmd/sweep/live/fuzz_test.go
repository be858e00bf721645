package live

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode"
)

// FuzzHandler: whatever is asked for, the answer is one, says how it may be used, leads nowhere else, and changes nothing.
func FuzzHandler(f *testing.F) {
	for _, seed := range [][5]string{
		{"GET", "/", "", "localhost", ""},
		{"GET", "/sweeps/prose", "token=x", "127.0.0.1:7800", "Bearer x"},
		{"GET", "/sweeps/prose/parts/trials", "", "[::1]:7800", ""},
		{"POST", "/sweeps/prose", "", "localhost", ""},
		{"GET", "/sweeps/../../etc/passwd", "", "evil.example", ""},
		{"GET", "//evil.example/..", "", "localhost.evil.example", ""},
		{"HEAD", "/sweeps/%2e%2e%2f/parts/%00", "a=%zz", "localhost:", "Basic eDp5"},
		{"OPTIONS", "*", "", "", ""},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], seed[4])
	}
	f.Fuzz(func(t *testing.T, method, path, query, host, authorization string) {
		if strings.Contains(path, "events") {
			return // a stream goes on
		}
		s := newScene(t, "prose", []float64{16}, nil)
		r, err := http.NewRequestWithContext(t.Context(), method, "http://localhost/", nil)
		if err != nil {
			return
		}
		r.Host, r.URL.Path, r.URL.RawQuery = host, "/"+strings.TrimPrefix(path, "/"), query
		r.Header.Set("Authorization", authorization)
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
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
		if w.Code == http.StatusOK && (!isLoopbackHost(host) || method != http.MethodGet && method != http.MethodHead) {
			t.Errorf("%s to host %q was answered", method, host)
		}
	})
}
