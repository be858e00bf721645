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
	case unix.CODA_SUPER_MAGIC:
		return "Coda"
	case 0x564C: // ncpfs, NCP_SUPER_MAGIC
		return "NCP"
	case 0x20030528: // ORANGEFS_SUPER_MAGIC, fs/orangefs/protocol.h
		return "OrangeFS"
	case 0x01161970: // GFS2_MAGIC, gfs2_ondisk.h
		return "GFS2"
	case 0x7461636F: // OCFS2_SUPER_MAGIC, fs/ocfs2/ocfs2_fs.h
		return "OCFS2"
	case 0x786F4256: // VBOXSF_SUPER_MAGIC, fs/vboxsf/super.c
		return "VirtualBox"
	case 0xAAD7AAEA: // PanFS
		return "PanFS"
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
		"keep the database on a local disk with --database DIR (sweep help cluster), or all of it with --root DIR", dir, name)
}

// networkFuse returns the name of a FUSE file system that reaches over a network, else "". A kind that is not listed counts as local: FUSE
// serves local disks too (ntfs-3g, gocryptfs, mergerfs). virtiofs is a kind of its own, a folder of the host.
func networkFuse(kind string) string {
	name := strings.TrimPrefix(strings.TrimPrefix(kind, "fuseblk."), "fuse.")
	for _, network := range []string{
		"sshfs", "gluster", "ceph", "juicefs", "davfs", "curlftpfs", "ftpfs", "rclone", "s3fs", "s3ql", "s3backer", "mount-s3", "mountpoint-s3",
		"goofys", "geesefs", "gcsfuse", "blobfuse", "azure", "seaweedfs", "weed", "moosefs", "mfs", "lizardfs", "saunafs", "beegfs", "lustre",
		"afs", "ipfs", "hdfs", "alluxio", "cernvm", "cvmfs2", "xrootdfs", "dropbox", "google-drive", "onedrive", "nfs", "smb", "cifs", "9p",
	} {
		if strings.HasPrefix(name, network) {
			return name
		}
	}
	return ""
}
