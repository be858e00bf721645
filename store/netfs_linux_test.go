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
