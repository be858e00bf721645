package main

import "github.com/ranksweep/ranksweep/sweep/trial"

// room returns the bytes that the disk of the root has left for this user.
func (a *app) room() (int64, error) { return trial.FreeBytes(a.root) }

// used returns the bytes that the root takes.
func (a *app) used() (int64, error) { return folderBytes(a.root) }
