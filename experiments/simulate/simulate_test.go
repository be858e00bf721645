package main

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestHistoriesHold lets some histories happen, whatever their faults.
func TestHistoriesHold(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-from", "6400", "-histories", "64", "-jobs", "1", "-time", "10m"}, &out, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if !strings.Contains(out.String(), "64 histories") {
		t.Errorf("output:\n%s", out.String())
	}
}

// TestSeedsReplay: a seed alone decides all that happens.
func TestSeedsReplay(t *testing.T) {
	t.Parallel()
	folder := regexp.MustCompile(`simulate-\d+`)
	for seed := 320; seed < 352; seed += 5 {
		var told [2]string
		for i := range told {
			var out bytes.Buffer
			if err := run(t.Context(), []string{"-seed", strconv.Itoa(seed), "-v"}, &out, &out); err != nil {
				t.Fatalf("seed %d: %v\n%s", seed, err, out.String())
			}
			told[i] = folder.ReplaceAllString(out.String(), "simulate")
		}
		if told[0] != told[1] || !strings.Contains(told[0], "begins") {
			t.Errorf("seed %d:\n%s\nand again:\n%s", seed, told[0], told[1])
		}
	}
}
