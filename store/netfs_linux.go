package store

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// networkMagic names the network file systems by the magic numbers of statfs(2).
func networkMagic(magic uint32) string {
	switch magic {
	case unix.NFS_SUPER_MAGIC:
		return "NFS"
	case unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC:
		return "SMB"
	case unix.CEPH_SUPER_MAGIC:
		return "Ceph"
	case unix.AFS_FS_MAGIC, unix.AFS_SUPER_MAGIC:
		return "AFS"
	case unix.V9FS_MAGIC:
		return "9p"
	case 0x0BD00BD0: // lustre_user.h
		return "Lustre"
	case 0x47504653: // "GPFS"
		return "GPFS"
	case 0x19830326: // beegfs_client
		return "BeeGFS"
	}
	return ""
}

// refuseNetwork fails if dir lies on a network file system.
func refuseNetwork(dir string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("look up the file system of %s: %w", dir, err)
	}
	name := networkMagic(uint32(fs.Type))
	if uint32(fs.Type) == unix.FUSE_SUPER_MAGIC {
		kind, err := mountType(dir)
		if err != nil {
			return err
		}
		name = networkFuse(kind)
	}
	if name == "" {
		return nil
	}
	return fmt.Errorf("%s lies on a network file system (%s), where SQLite's locks do not hold: "+
		"choose a folder on a local disk with --root", dir, name)
}

// networkFuse returns the name of a FUSE file system that reaches over a network, else "".
func networkFuse(kind string) string {
	name := strings.TrimPrefix(kind, "fuse.")
	switch {
	case name == "sshfs", name == "glusterfs", name == "ceph", name == "juicefs", name == "davfs",
		strings.HasPrefix(name, "rclone"), strings.HasPrefix(name, "s3fs"), strings.HasPrefix(name, "gcsfuse"):
		return name
	}
	return ""
}

// mountType returns the type that the kernel's mount table gives for dir's device, e.g. "fuse.sshfs". For these ten lines
// alone prometheus/procfs does not pay (experiments/LOG.md, 2026-11-28).
func mountType(dir string) (string, error) {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return "", fmt.Errorf("look up the device of %s: %w", dir, err)
	}
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", fmt.Errorf("read the mount table: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	device := fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev))
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		// proc(5): id parent major:minor root mountpoint options [tags] - type source options
		before, after, _ := strings.Cut(lines.Text(), " - ")
		if fields := strings.Fields(before); len(fields) > 2 && fields[2] == device {
			kind, _, _ := strings.Cut(after, " ")
			return kind, nil
		}
	}
	return "", lines.Err()
}
