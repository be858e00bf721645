package ray

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Settings say where a Ray cluster is and what each job asks of it; Keys explains them. The zero value is a head on this machine.
type Settings struct {
	Address string            `json:"address,omitempty" mapstructure:"address"`
	Headers map[string]string `json:"headers,omitempty" mapstructure:"headers"`

	CPUs      float64     `json:"cpus,omitempty" mapstructure:"cpus"`
	GPUs      float64     `json:"gpus,omitempty" mapstructure:"gpus"`
	Memory    trial.Bytes `json:"memory,omitempty" mapstructure:"memory"`
	MemoryMax trial.Bytes `json:"memory_max,omitempty" mapstructure:"memory_max"`
	Resources []string    `json:"resources,omitempty" mapstructure:"resources"`

	WorkingDir string   `json:"working_dir,omitempty" mapstructure:"working_dir"`
	Env        []string `json:"env,omitempty" mapstructure:"env"`
	Setup      []string `json:"setup,omitempty" mapstructure:"setup"`
	Container  string   `json:"container,omitempty" mapstructure:"container"`

	MaxJobs  int           `json:"max_jobs,omitempty" mapstructure:"max_jobs"`
	StopTime time.Duration `json:"stop_time,omitempty" mapstructure:"stop_time"`
	Timeout  time.Duration `json:"timeout,omitempty" mapstructure:"timeout"`
}

// Upload as the WorkingDir has the program uploaded to the cluster, for nodes that do not see the folder in which it lies.
const Upload = "upload"

// withDefaults are the settings with what stands for what was not said.
func (s Settings) withDefaults() Settings {
	s.Address = cmp.Or(s.Address, "http://127.0.0.1:8265")
	s.CPUs = cmp.Or(s.CPUs, 1) // without, Ray runs every job on its head
	s.MaxJobs = cmp.Or(s.MaxJobs, 64)
	s.StopTime = cmp.Or(s.StopTime, 30*time.Second)
	s.Timeout = cmp.Or(s.Timeout, 30*time.Second)
	return s
}

// Key is one setting, for help.
type Key struct{ Name, Doc string }

// exampleHeader is what Ray's own token wants: https://docs.ray.io/en/latest/ray-security/token-auth.html.
const exampleHeader = `{Authorization: "Bearer ${RAY_AUTH_TOKEN}"}`

// Keys are all settings, in the order in which people need them.
func Keys() []Key {
	return []Key{
		{"address", "The dashboard's address, http://HOST:PORT or https://HOST/PATH. Default: http://127.0.0.1:8265."},
		{"headers", "Headers of every request. ${NAME} is the environment's NAME, and a token is only read from there: " +
			exampleHeader + "."},
		{"cpus", "CPUs of each job. Default: 1."},
		{"gpus", "GPUs of each job, or a part of one, such as 0.5. Default: as many as the trial needs."},
		{"memory", "Memory of a job of which no trial has told yet how much it needs. Default: none is asked for."},
		{"memory_max", "The most memory that a job may ask for: that of the largest node. Default: no bound."},
		{"resources", "Custom resources of each job, as NAME=NUMBER: [A100=1]."},
		{"working_dir", "URI of a package that becomes the jobs' working directory, or upload: the program itself, for nodes that do not " +
			"see its folder. The root must be seen in any case."},
		{"env", "Environment of the jobs, as NAME=VALUE. Ray shows it to everybody who may see its jobs: no place for tokens."},
		{"setup", "Commands that a job runs before the worker."},
		{"container", "A command line to which the worker's is appended."},
		{"max_jobs", "The most jobs at the same time, waiting ones included. One that waits for 15 minutes is failed by Ray " +
			"(RAY_JOB_START_TIMEOUT_SECONDS of the head) and handed in again. Default: 64."},
		{"stop_time", "How long a job that is stopped from outside has for its checkpoint. Default: 30s."},
		{"timeout", "How long the dashboard may take to answer. Default: 30s."},
	}
}

// Check says what is wrong with the settings, all of it.
func (s Settings) Check() error {
	s = s.withDefaults()
	var errs []error
	complain := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("ray: "+key+": "+format, args...))
	}
	if u, err := url.Parse(s.Address); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		complain("address", "%q is not the address of a dashboard: http://HOST:PORT or https://HOST", s.Address)
	} else if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		complain("address", "leave out user, query and fragment: what a server asks for goes into headers")
	}
	if s.WorkingDir != "" && s.WorkingDir != Upload && !strings.Contains(s.WorkingDir, "://") {
		complain("working_dir", "%q is no URI of a package such as s3://BUCKET/sweep.zip, and not %s", s.WorkingDir, Upload)
	}
	errs = append(errs, s.checkHeaders(), s.checkAmounts())
	for _, pair := range s.Env {
		if !envPattern().MatchString(pair) {
			name, _, _ := strings.Cut(pair, "=") // the value may be a secret
			complain("env", "%q is no NAME=VALUE", name)
		}
	}
	return errors.Join(errs...)
}

func envPattern() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`) }

// checkAmounts refuses what Ray refuses only once a job is to start, which looks like a job that failed.
func (s Settings) checkAmounts() error {
	var errs []error
	complain := func(format string, args ...any) { errs = append(errs, fmt.Errorf("ray: "+format, args...)) }
	amount := func(v float64) bool { return v >= 0 && !math.IsInf(v, 0) } // not of NaN
	whole := func(v float64) bool { return v <= 1 || v == math.Trunc(v) }
	if !amount(s.CPUs) {
		complain("cpus: %v, want more than 0", s.CPUs)
	}
	if !amount(s.GPUs) || !whole(s.GPUs) {
		complain("gpus: %v, want a whole number or a part of one GPU", s.GPUs)
	}
	if _, err := s.resources(); err != nil {
		complain("resources: %w", err)
	}
	if s.MemoryMax > 0 && s.Memory > s.MemoryMax {
		complain("memory: %v, want at most memory_max, %v", s.Memory, s.MemoryMax)
	}
	if s.MaxJobs < 1 {
		complain("max_jobs: %d, want 1 at least", s.MaxJobs)
	}
	if s.StopTime < time.Second || s.Timeout < time.Second {
		complain("stop_time: %v, timeout: %v, want 1s at least of each", s.StopTime, s.Timeout)
	}
	return errors.Join(errs...)
}

// resources are Resources by name.
func (s Settings) resources() (map[string]float64, error) {
	amounts := map[string]float64{}
	for _, pair := range s.Resources {
		name, text, _ := strings.Cut(pair, "=")
		amount, err := strconv.ParseFloat(text, 64)
		if err != nil || name == "" || !(amount > 0) || math.IsInf(amount, 0) {
			return nil, fmt.Errorf("%q, want NAME=NUMBER", pair)
		}
		amounts[name] = amount
	}
	return amounts, nil
}

// Ready says what this process lacks to speak to the cluster.
func (s Settings) Ready() error {
	_, err := s.header(os.LookupEnv)
	return err
}

// checkHeaders has secrets come from the environment alone.
func (s Settings) checkHeaders() error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
		value := s.Headers[name]
		if secretName().MatchString(name) && !variable().MatchString(value) {
			errs = append(errs, fmt.Errorf("ray: headers: %s: put what it says into a variable of the environment and write ${NAME}: "+
				"settings are kept beside the sweep, where a token must not be", name))
		}
	}
	return errors.Join(errs...)
}

func secretName() *regexp.Regexp {
	return regexp.MustCompile(`(?i)auth|cookie|token|secret|key|password|credential`)
}

func variable() *regexp.Regexp { return regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`) }

// header is Headers with the variables replaced. Its errors name variables, never values.
func (s Settings) header(lookup func(string) (string, bool)) (http.Header, error) {
	h, missing := http.Header{}, map[string]bool{}
	for name, template := range s.Headers {
		h.Set(name, variable().ReplaceAllStringFunc(template, func(match string) string {
			v := match[2 : len(match)-1]
			value, ok := lookup(v)
			if !ok {
				missing[v] = true
			}
			return value
		}))
	}
	if len(missing) > 0 {
		names := slices.Sorted(maps.Keys(missing))
		return nil, fmt.Errorf("ray: headers: the environment has no %s", strings.Join(names, ", "))
	}
	return h, nil
}
