package ray_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/sweep/executor/ray"
)

func TestNothingNeedsToBeSet(t *testing.T) {
	t.Parallel()
	if err := (ray.Settings{}).Check(); err != nil {
		t.Errorf("Check() of nothing = %v", err)
	}
}

func header(name, value string) func(*ray.Settings) {
	return func(s *ray.Settings) { s.Headers = map[string]string{name: value} }
}

// TestReady: a token is needed by who speaks to the cluster, not by who reads the settings.
func TestReady(t *testing.T) {
	t.Parallel()
	var s ray.Settings
	header("X-Team", "${NO_SUCH_VARIABLE}")(&s)
	if err := s.Check(); err != nil {
		t.Errorf("Check() = %v", err)
	}
	if err := s.Ready(); err == nil || !strings.Contains(err.Error(), "no NO_SUCH_VARIABLE") {
		t.Errorf("Ready() = %v, want the variable's name", err)
	}
}

func TestCheckNamesWhatIsWrong(t *testing.T) {
	t.Setenv("RAY_TEST_TOKEN", "abc")
	for name, c := range map[string]struct {
		change func(*ray.Settings)
		want   string // in the error; empty: none
	}{
		"token of the environment": {header("authorization", "Bearer ${RAY_TEST_TOKEN}"), ""},
		"token in the settings":    {header("authorization", "Bearer abc"), "write ${NAME}"},
		"plain header":             {header("X-Team", "lora"), ""},
		"Ray client's address":     {func(s *ray.Settings) { s.Address = "ray://head:10001" }, "address: "},
		"address without scheme":   {func(s *ray.Settings) { s.Address = "head:8265" }, "address: "},
		"user in the address":      {func(s *ray.Settings) { s.Address = "http://u:p@head:8265" }, "leave out user"},
		"path in the address":      {func(s *ray.Settings) { s.Address = "https://gateway/ray" }, ""},
		"negative CPUs":            {func(s *ray.Settings) { s.CPUs = -1 }, "cpus: -1"},
		"part of a GPU":            {func(s *ray.Settings) { s.GPUs = 0.25 }, ""},
		"one and a half GPU":       {func(s *ray.Settings) { s.GPUs = 1.5 }, "gpus: 1.5"},
		"negative resource":        {func(s *ray.Settings) { s.Resources = []string{"A100=-1"} }, "A100=-1"},
		"resource by name alone":   {func(s *ray.Settings) { s.Resources = []string{"A100"} }, "NAME=NUMBER"},
		"resource":                 {func(s *ray.Settings) { s.Resources = []string{"A100=0.5"} }, ""},
		"more memory than allowed": {func(s *ray.Settings) { s.Memory, s.MemoryMax = 2, 1 }, "memory: 2B"},
		"package":                  {func(s *ray.Settings) { s.WorkingDir = "s3://bucket/sweep.zip" }, ""},
		"upload":                   {func(s *ray.Settings) { s.WorkingDir = ray.Upload }, ""},
		"folder":                   {func(s *ray.Settings) { s.WorkingDir = "/shared/sweep" }, "no URI"},
		"name of a variable":       {func(s *ray.Settings) { s.Env = []string{"A B=abc"} }, `"A B"`},
		"no jobs":                  {func(s *ray.Settings) { s.MaxJobs = -1 }, "max_jobs"},
		"no time":                  {func(s *ray.Settings) { s.Timeout = time.Millisecond }, "timeout"},
	} {
		s := ray.Settings{}
		c.change(&s)
		err := s.Check()
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: Check() = %v, want none", name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Check() = %v, want one with %q", name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "abc") {
			t.Errorf("%s: Check() = %v, which shows a token", name, err)
		}
	}
}
