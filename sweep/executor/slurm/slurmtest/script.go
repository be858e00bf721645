package slurmtest

import (
	"os"
	"syscall"
	"testing"
)

// Script puts a program of text in a command's place. No other process starts meanwhile: until it runs its own program it would hold the
// file open for writing, and running the script would end with "text file busy" (https://go.dev/issue/22315).
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
