package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// idlePatience is how long a worker waits for another assignment: the seed of a rank that a verdict asks for after it has looked at the
// next rank comes later by a trial. Where memory is short a coordinator ends idle workers before.
const idlePatience = time.Minute

// Coordinator is where a worker gets further assignments from: its end of the channel to the process that started it.
type Coordinator struct{ channel *net.UnixConn }

// OpenCoordinator takes over the inherited descriptor.
func OpenCoordinator(fd int) (Coordinator, error) {
	channel, err := channelOf(fd)
	if err != nil {
		return Coordinator{}, fmt.Errorf("open the channel to the coordinator: %w", err)
	}
	return Coordinator{channel}, nil
}

// Next offers to take another assignment, lets go of the event log of the last one, and waits. It returns the next attempt's folder and
// its event log, locked, and from then on stdout and stderr are that attempt's. ok is false where none comes: because the coordinator
// is gone or has no use for this worker, or ctx is done.
func (c Coordinator) Next(ctx context.Context, last *os.File) (dir string, events *os.File, ok bool, err error) {
	_, offerErr := c.channel.Write([]byte(saysIdle))
	if err := last.Close(); err != nil || offerErr != nil {
		return "", nil, false, err // a coordinator that cannot be told is gone
	}
	if err := c.channel.SetReadDeadline(time.Now().Add(idlePatience)); err != nil {
		return "", nil, false, err
	}
	defer context.AfterFunc(ctx, func() { _ = c.channel.SetReadDeadline(time.Now()) })()
	dir, files, err := c.receive()
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ECONNRESET):
		return "", nil, false, nil
	case err != nil:
		return "", nil, false, err
	}
	events = os.NewFile(uintptr(files[0]), filepath.Join(dir, trial.EventsFile))
	if err := errors.Join(redirect(files[1], syscall.Stdout), redirect(files[2], syscall.Stderr)); err != nil || ctx.Err() != nil {
		return "", nil, false, errors.Join(err, events.Close())
	}
	if _, err := c.channel.Write([]byte(saysTaken)); err != nil && !errors.Is(err, syscall.EPIPE) { // without a coordinator it is trained too
		return "", nil, false, errors.Join(err, events.Close())
	}
	return dir, events, true, nil
}

// receive reads an attempt's folder and its three open files.
func (c Coordinator) receive() (dir string, files []int, err error) {
	text, rights := make([]byte, 1<<16), make([]byte, syscall.CmsgSpace(3*4))
	n, m, _, _, err := c.channel.ReadMsgUnix(text, rights)
	if err != nil {
		return "", nil, err
	}
	if n == 0 {
		return "", nil, io.EOF
	}
	messages, err := syscall.ParseSocketControlMessage(rights[:m])
	if err != nil {
		return "", nil, err
	}
	if len(messages) != 1 {
		return "", nil, fmt.Errorf("%d control messages from the coordinator, want 1", len(messages))
	}
	if files, err = syscall.ParseUnixRights(&messages[0]); err != nil {
		return "", nil, err
	}
	if len(files) != 3 {
		return "", nil, fmt.Errorf("%d files from the coordinator, want 3", len(files))
	}
	return string(text[:n]), files, nil
}
