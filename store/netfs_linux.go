package store

import (
	"fmt"
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
		kind, err := FileSystem(dir)
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
