package backend

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// endless is a server whose answers have no end.
func endless(t *testing.T) *httptest.Server {
	t.Helper()
	blanks := strings.Repeat(" ", 1<<20)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Range") != "" {
			w.WriteHeader(http.StatusPartialContent)
		}
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, blanks); err != nil {
				return
			}
		}
	}))
	t.Cleanup(server.Close)
	return server
}

// TestAnswersAreBounded: neither the memory nor the disk is filled by what a server sends.
func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	server := endless(t)
	var into any
	if err := getJSON(t.Context(), server.URL, &into); err == nil || !strings.Contains(err.Error(), "more than 32 MiB") {
		t.Errorf("getJSON = %v, want an error that says what is too much", err)
	}
	file := filepath.Join(t.TempDir(), "archive")
	const there = mostBytes - 1<<20
	write(t, filepath.Dir(file), "archive", "")
	if err := os.Truncate(file, there); err != nil { // it takes no room
		t.Fatal(err)
	}
	err := download(t.Context(), server.URL, file, time.Millisecond, func(int64, int64) {})
	if err == nil || !strings.Contains(err.Error(), "more than "+trial.FormatBytes(mostBytes)) {
		t.Errorf("download = %v, want an error that says what is too much", err)
	}
	if info, err := os.Stat(file); err != nil || info.Size() < there || info.Size() > mostBytes {
		t.Errorf("the file is %v, %v", info, err)
	}
}
