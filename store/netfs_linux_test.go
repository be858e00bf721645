package store_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/ranksweep/ranksweep/store"
)

// TestNetworkFileSystemsAreRefused: on a mount that says it is sshfs no database is made, by whichever way.
func TestNetworkFileSystemsAreRefused(t *testing.T) {
	t.Parallel()
	mount := t.TempDir()
	root, err := fs.NewLoopbackRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	server, err := fs.Mount(mount, root, &fs.Options{MountOptions: fuse.MountOptions{
		Name: "sshfs", FsName: "host:/runs", DirectMountStrict: true,
	}})
	if err != nil {
		t.Skipf("SKIPPED, no file system can be mounted here: %v", err)
	}
	defer server.Unmount() //nolint:errcheck // the process ends
	_, opened := store.Open(t.Context(), filepath.Join(mount, "sweep.db"))
	_, repaired := store.Repair(t.Context(), mount, nothing)
	for way, err := range map[string]error{"Open": opened, "Repair": repaired, "CheckFolder": store.CheckFolder(mount)} {
		if err == nil || !strings.Contains(err.Error(), "network file system (sshfs)") || !strings.Contains(err.Error(), "--root") {
			t.Errorf("%s = %v, want a refusal that says what to do", way, err)
		}
	}
}

// TestNetworkMagic: each by the number that statfs(2), or its own source, has for it.
func TestNetworkMagic(t *testing.T) {
	t.Parallel()
	for magic, want := range map[uint32]string{
		0x6969: "NFS", 0x517B: "SMB", 0xFE534D42: "SMB", 0xFF534D42: "SMB", 0x00C36400: "Ceph", 0x5346414F: "AFS", 0x6B414653: "AFS",
		0x01021997: "9p", 0x0BD00BD0: "Lustre", 0x73757245: "Coda", 0x564C: "NCP", 0x20030528: "OrangeFS", 0xAAD7AAEA: "PanFS",
		0x47504653: "GPFS", 0x19830326: "BeeGFS", 0x01161970: "GFS2", 0x7461636F: "OCFS2", 0x786F4256: "VirtualBox",
		0xEF53: "", 0x58465342: "", 0x9123683E: "", 0x01021994: "", 0x794C7630: "", 0x2FC12FC1: "", // ext4, XFS, Btrfs, tmpfs, overlayfs, ZFS
	} {
		if got := store.NetworkMagic(magic); got != want {
			t.Errorf("%#x: %q, want %q", magic, got, want)
		}
	}
}

func TestNetworkFuse(t *testing.T) {
	t.Parallel()
	for kind, network := range map[string]bool{
		"fuse.sshfs": true, "fuse.glusterfs": true, "fuse.rclone": true, "fuse.s3fs": true, "fuse.gcsfuse": true, "fuse.mount-s3": true,
		"fuse.ceph-fuse": true, "fuse.juicefs": true, "fuse.blobfuse2": true, "fuse.moosefs": true, "fuse.curlftpfs": true,
		"fuseblk": false, "fuse.gocryptfs": false, "fuse.mergerfs": false, "fuse.ntfs-3g": false, "virtiofs": false, "fuse": false,
	} {
		if got := store.NetworkFuse(kind); (got != "") != network {
			t.Errorf("%s: %q, want it to reach over a network: %t", kind, got, network)
		}
	}
}
