package main

import "golang.org/x/sys/unix"

// room returns the bytes that the disk of the root has left for this user.
func (a *app) room() (int64, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(a.root, &fs); err != nil {
		return 0, err
	}
	return int64(fs.Bavail) * int64(fs.Bsize), nil //nolint:unconvert // the types differ between systems
}

// used returns the bytes that the root takes.
func (a *app) used() (int64, error) { return folderBytes(a.root) }
