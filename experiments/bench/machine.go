package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// busy is the load average above which a measurement is in doubt.
const busy = 0.5

// machine is what a figure depends on beside the programs.
type machine struct {
	cpu   string
	has   []string // instruction sets
	lacks []string
	cores int
	load  string // over 1, 5 and 15 minutes, as /proc/loadavg has them
}

func readMachine() (machine, error) {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return machine{}, fmt.Errorf("the benchmark needs Linux: %w", err)
	}
	m := parseCPU(string(info))
	m.cores = runtime.NumCPU()
	m.load, err = readLoad()
	return m, err
}

// parseCPU reads the first processor of /proc/cpuinfo. A virtual machine may hide the model's name, so its numbers are said too.
func parseCPU(info string) machine {
	field := map[string]string{}
	first, _, _ := strings.Cut(info, "\n\n")
	for line := range strings.Lines(first) {
		key, value, _ := strings.Cut(line, ":")
		field[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	m := machine{cpu: "CPU of an unknown model"}
	if name := field["model name"]; name != "" {
		m.cpu = fmt.Sprintf("%s (family %s, model %s, stepping %s)", name, field["cpu family"], field["model"], field["stepping"])
	}
	flags := strings.Fields(field["flags"])
	for _, set := range []string{"avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16", "amx_fp16"} {
		if slices.Contains(flags, set) {
			m.has = append(m.has, set)
		} else {
			m.lacks = append(m.lacks, set)
		}
	}
	return m
}

func readLoad() (string, error) {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "", err
	}
	return strings.Join(strings.Fields(string(text))[:3], " "), nil
}

// busy reports whether others used the machine in the minute before the measurement.
func (m machine) busy() bool {
	last, _, _ := strings.Cut(m.load, " ")
	load, err := strconv.ParseFloat(last, 64)
	return err != nil || load > busy
}

func (m machine) warn(stderr io.Writer) {
	if m.busy() {
		fmt.Fprintf(stderr, "warning: load average %s: something else runs on this machine, and the figures are worth little above %.1f\n",
			m.load, busy)
	}
}

func (m machine) String() string {
	list := func(sets []string) string {
		if len(sets) == 0 {
			return "none"
		}
		return strings.Join(sets, " ")
	}
	text := fmt.Sprintf("%s, %d cores; instruction sets %s; lacks %s; load average at the start %s", m.cpu, m.cores, list(m.has),
		list(m.lacks), m.load)
	if m.busy() {
		text += fmt.Sprintf(" (ABOVE %.1f: THE MACHINE WAS BUSY)", busy)
	}
	return text
}
