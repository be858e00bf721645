package trial

import (
	"math"

	"golang.org/x/sys/unix"
)

// FreeBytes returns what the file system of a folder has left for this user, in bytes. One that says it has no blocks at all does not say
// how much it holds, as a tmpfs without a limit (tmpfs(5), size=0) and many of FUSE's: it is never full, math.MaxInt64.
func FreeBytes(dir string) (int64, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return 0, err
	}
	if fs.Blocks == 0 {
		return math.MaxInt64, nil
	}
	return int64(fs.Bavail) * int64(fs.Bsize), nil //nolint:unconvert // the types differ between systems
}
