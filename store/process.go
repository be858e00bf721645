package store

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/ranksweep/ranksweep/sweep"
)

// ThisProcess returns this process as the coordinator that a person called by a command.
func ThisProcess(command string) (sweep.Coordinator, error) {
	host, err := os.Hostname()
	if err != nil {
		return sweep.Coordinator{}, err
	}
	c := sweep.Coordinator{Host: host, PID: os.Getpid(), Command: command, Terminal: terminal()}
	if boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil { // Linux; elsewhere the file lock and the host decide alone
		c.Boot = strings.TrimSpace(string(boot))
		c.Start, _ = processStart(c.PID)
	}
	return c, nil
}

// terminal is the path of the terminal that this process was started in; empty where there is none.
func terminal() string {
	for fd := range 3 {
		path, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
		if err == nil && (strings.HasPrefix(path, "/dev/pts/") || strings.HasPrefix(path, "/dev/tty")) {
			return path
		}
	}
	return ""
}

// running reports whether the coordinator's process lives: one of its number that began when it did, since the same start of the machine.
func running(c sweep.Coordinator) bool {
	start, err := processStart(c.PID)
	return err == nil && start == c.Start
}

// processStart returns when a living process began, in clock ticks since the machine's start. A process that has ended but was not waited
// for is not alive. prometheus/procfs would not shorten this.
func processStart(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	const state, start = 0, 19 // fields 3 and 22 of proc_pid_stat(5), counted after the name, which may hold anything
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) <= start || strings.ContainsAny(fields[state], "ZXx") {
		return 0, os.ErrProcessDone
	}
	return strconv.ParseInt(fields[start], 10, 64)
}
