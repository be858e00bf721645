package store

import (
	"errors"
	"os"
	"path/filepath"
)

// HasLease reports whether a database that lies elsewhere ever worked on a root.
func HasLease(root string) bool {
	_, err := os.Stat(filepath.Join(root, leaseFolder, epochName(1)))
	return err == nil
}

// RootFree fails with a RootHeldError where a database that lies elsewhere works on a root, or did when its machine died.
func RootFree(root string) error {
	if !HasLease(root) {
		return nil
	}
	l := RootLease{root: root}
	epoch, holder, err := l.newest()
	if err != nil {
		return err
	}
	beat, err := l.lastBeat()
	if err != nil || beat.Epoch == epoch && beat.GivenUp {
		return err
	}
	by, err := ThisProcess("")
	if err != nil {
		return err
	}
	if here, err := heldHere(holder, by.Host, by.Boot); err != nil || here != nil && !*here {
		return err
	}
	return &RootHeldError{root, holder}
}

// Overtaken is whose database worked on a root since the one in a folder of this machine did, which is out of date then; nil where none
// did.
func Overtaken(root, folder string) (*RootHolder, error) {
	if !HasLease(root) {
		return nil, nil
	}
	by, err := ThisProcess("")
	if err != nil {
		return nil, err
	}
	return overtaken(root, RootHolder{Host: by.Host, Database: folder})
}

func overtaken(root string, me RootHolder) (*RootHolder, error) {
	l := RootLease{root: root, folder: me.Database}
	epoch, holder, err := l.newest()
	if err != nil || holder.Host == me.Host && holder.Database == me.Database {
		return nil, err
	}
	known, err := l.served()
	if err != nil || known == (served{root, epoch}) {
		return nil, err
	}
	return &holder, nil
}

// heldHere reports whether a process of a holder lives, if that was on this machine, where it would hold a lock. nil: nobody can tell.
func heldHere(holder RootHolder, host, boot string) (*bool, error) {
	if holder.Host != host || holder.Boot != boot {
		return nil, nil
	}
	if _, err := os.Stat(rootLockOf(holder.Database)); err != nil {
		return nil, nil //nolint:nilerr // its folder is gone, or never was on this machine
	}
	alone, err := tryFileLock(rootLockOf(holder.Database))
	held := errors.Is(err, errHeld)
	if held {
		return &held, nil
	}
	return &held, errors.Join(err, alone.release())
}
