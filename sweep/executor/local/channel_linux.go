package local

import (
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// newChannel returns the coordinator's end of a channel, and the worker's, which the caller closes once the child has it.
func newChannel() (own *net.UnixConn, theirs *os.File, err error) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	if own, err = channelOf(ends[0]); err != nil {
		_ = unix.Close(ends[1])
		return nil, nil, err
	}
	return own, os.NewFile(uintptr(ends[1]), "channel"), nil
}

// channelOf takes over a descriptor of a channel's end.
func channelOf(fd int) (*net.UnixConn, error) {
	file := os.NewFile(uintptr(fd), "channel")
	defer file.Close() //nolint:errcheck // FileConn has a descriptor of its own
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, err
	}
	return conn.(*net.UnixConn), nil
}

// pending takes a message that is there already; "" where there is none.
func pending(channel *net.UnixConn) string {
	raw, err := channel.SyscallConn()
	if err != nil || channel.SetReadDeadline(time.Time{}) != nil {
		return ""
	}
	text, n := make([]byte, 64), 0
	err = raw.Read(func(fd uintptr) bool {
		if got, _, err := unix.Recvfrom(int(fd), text, unix.MSG_DONTWAIT); err == nil {
			n = got
		}
		return true // whatever came: nobody waits
	})
	if err != nil {
		return ""
	}
	return string(text[:n])
}

// redirect makes descriptor to the same file as from, which it closes.
func redirect(from, to int) error {
	if err := unix.Dup3(from, to, 0); err != nil {
		return err
	}
	return unix.Close(from)
}
