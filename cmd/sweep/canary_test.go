package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/ranksweep/ranksweep/trainer/backend"
)

// TestSecretsStayInTheEnvironment: no token or password that a run was given is in what it says or in any file of its root.
func TestSecretsStayInTheEnvironment(t *testing.T) {
	t.Parallel()
	const canary = "hf_cAnArY0123456789"
	s := newTestSweep(t, backend.PlatformGo, 20)
	for _, name := range []string{
		"HF_TOKEN", "MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_PASSWORD", "WANDB_API_KEY", "SWEEP_SERVE_TOKEN", "AWS_SECRET_ACCESS_KEY",
	} {
		s.env = append(s.env, name+"="+canary)
	}
	run := s.sweep("run", s.path("grid.yaml"), "-v", "--backend", s.platform, "--serve", "--addr", "127.0.0.1:0",
		"--track", "mlflow:http://me:"+canary+"@127.0.0.1:1", "--notify", "http://127.0.0.1:1/services/"+canary,
		"--notify", "TOKEN="+canary+" false")
	said, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if !bytes.Contains(said, []byte("not sent")) || !bytes.Contains(said, []byte("live page: ")) {
		t.Errorf("the settings were not used:\n%s", said)
	}
	for _, args := range [][]string{
		{"status", "-o", "json", "-v"},
		{"report", "-o", "json"},
		{"report", "-o", "html"},
		{"list"},
		{"doctor", "-o", "json"},
		{"eval", "--model", "https://me:" + canary + "@127.0.0.1/model", "--data", "x"},
		{"run", "https://me:" + canary + "@127.0.0.1/grid"},
	} {
		out, _ := s.sweep(args...).CombinedOutput()
		said = append(said, out...)
	}
	if bytes.Contains(said, []byte(canary)) {
		t.Errorf("it is in what was said:\n%s", said)
	}
	files := 0
	err = filepath.WalkDir(s.path("runs"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte(canary)) {
			t.Errorf("it is in %s", path)
		}
		return err
	})
	if err != nil || files < 20 {
		t.Errorf("%d files, %v", files, err)
	}
}
