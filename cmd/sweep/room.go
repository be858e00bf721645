package main

import (
	"math"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// room returns the bytes that the disk of the root has left for this user. Where the file system does not say, it is never full.
func (a *app) room() (int64, error) {
	free, known, err := trial.FreeBytes(a.root)
	if !known {
		free = math.MaxInt64
	}
	return free, err
}

// used returns the bytes that the root takes.
func (a *app) used() (int64, error) { return folderBytes(a.root) }
