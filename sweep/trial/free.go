package trial

import "golang.org/x/sys/unix"

// FreeBytes returns what the file system of a folder has left for this user, in bytes. One that says it has no blocks at all does not say
// how much it holds, as a tmpfs without a limit (tmpfs(5), size=0) and many of FUSE's: then it is not known.
func FreeBytes(dir string) (n int64, known bool, err error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return 0, false, err
	}
	return int64(fs.Bavail) * int64(fs.Bsize), fs.Blocks > 0, nil //nolint:unconvert // the types differ between systems
}
