package backend

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestPeakHostBytesGrows(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("VmHWM is Linux's")
	}
	before, err := PeakHostBytes()
	if err != nil {
		t.Fatal(err)
	}
	const block = 64 << 20
	b := make([]byte, block)
	for i := 0; i < block; i += 4096 {
		b[i] = 1
	}
	after, err := PeakHostBytes()
	if err != nil || after < block || after < before {
		t.Errorf("PeakHostBytes = %d after touching %d bytes (before: %d), %v", after, block, before, err)
	}
	runtime.KeepAlive(b)
}

func write(t *testing.T, root, name, text string) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
