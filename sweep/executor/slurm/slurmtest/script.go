package slurmtest

import (
	"os"
	"syscall"
	"testing"
)

// Script writes a script in a command's place. No other process is started meanwhile: a child would hold the file open for writing until
// its exec, and running the script would fail with "text file busy" (https://go.dev/issue/22315).
func Script(t *testing.T, path, text string) {
	t.Helper()
	syscall.ForkLock.RLock()
	err := os.WriteFile(path+".new", []byte(text), 0o700)
	syscall.ForkLock.RUnlock()
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		t.Fatal(err)
	}
}
