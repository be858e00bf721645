package slurm

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Settings are what a site and a user say of their Slurm. The zero value leaves everything to Slurm's own defaults.
type Settings struct {
	Partition  string `json:"partition,omitempty"  mapstructure:"partition"`
	Account    string `json:"account,omitempty"    mapstructure:"account"`
	QOS        string `json:"qos,omitempty"        mapstructure:"qos"`
	Constraint string `json:"constraint,omitempty" mapstructure:"constraint"`
	Gres       string `json:"gres,omitempty"       mapstructure:"gres"`
	GPUs       string `json:"gpus,omitempty"       mapstructure:"gpus"`
	CPUs       int    `json:"cpus,omitempty"       mapstructure:"cpus"`

	Memory    trial.Bytes   `json:"memory,omitempty"     mapstructure:"memory"`
	MemoryMax trial.Bytes   `json:"memory_max,omitempty" mapstructure:"memory_max"`
	Time      time.Duration `json:"time,omitempty"       mapstructure:"time"`
	TimeMax   time.Duration `json:"time_max,omitempty"   mapstructure:"time_max"`
	Grace     time.Duration `json:"grace,omitempty"      mapstructure:"grace"`
	MaxJobs   int           `json:"max_jobs,omitempty"   mapstructure:"max_jobs"`

	Extra       []string `json:"extra,omitempty"       mapstructure:"extra"`
	Environment []string `json:"environment,omitempty" mapstructure:"environment"`
	Setup       []string `json:"setup,omitempty"       mapstructure:"setup"`
	Container   string   `json:"container,omitempty"   mapstructure:"container"`

	Sbatch   string        `json:"sbatch,omitempty"   mapstructure:"sbatch"`
	Squeue   string        `json:"squeue,omitempty"   mapstructure:"squeue"`
	Scancel  string        `json:"scancel,omitempty"  mapstructure:"scancel"`
	Sacct    string        `json:"sacct,omitempty"    mapstructure:"sacct"`
	Scontrol string        `json:"scontrol,omitempty" mapstructure:"scontrol"`
	Timeout  time.Duration `json:"timeout,omitempty"  mapstructure:"timeout"`
}

// Key is one setting, for help.
type Key struct{ Name, Doc string }

// Keys are all settings, in the order in which people need them.
func Keys() []Key {
	return []Key{
		{"partition", "Partition of the jobs."},
		{"account", "Account that is charged."},
		{"qos", "Quality of service."},
		{"gres", "Generic resources of a job, as --gres takes them: gpu:a100:1. On a GPU platform gpu:1 where neither gres nor gpus is given."},
		{"gpus", "GPUs of a job, as --gpus takes them: 1, a100:1. Not beside gres."},
		{"cpus", "Cores of a job."},
		{"memory", "Memory of a job whose need is not known, and the least that any job asks for: 8GiB."},
		{"memory_max", "The most that a job may ask for. What needs more ends out of memory."},
		{"time", "Time limit of a job whose length is not known, and the least that any job asks for: 2h."},
		{"time_max", "The longest time limit. A longer trial goes on from its checkpoint in another job."},
		{"grace", "How long before its time limit a job is told to write its checkpoint and end: 2m by default."},
		{"constraint", "Features that a node must have: a100&nvlink."},
		{"max_jobs", "How many jobs wait or run at the same time: 64 by default."},
		{"extra", "A list of further options of sbatch, one line each: --exclude=node7."},
		{"environment", "A list of names of variables that jobs get of the coordinator's environment: [HF_TOKEN]. sbatch takes the values " +
			"along, and no file has them. Other variables do not travel."},
		{"setup", "A list of lines of bash that run before the worker: module load cuda/12.4. They stand in job.sh: no place for a token, " +
			"which a line can read from a file of yours: export HF_TOKEN=$(cat ~/.hf-token)."},
		{"container", "What the worker's command is run by, as bash reads it: apptainer exec --nv image.sif."},
		{"sbatch", "The command, or its path. Likewise squeue, scancel, sacct and scontrol."},
		{"squeue", ""},
		{"scancel", ""},
		{"sacct", "Asked only for jobs that squeue has forgotten, and only where the site keeps accounts."},
		{"scontrol", ""},
		{"timeout", "How long one of these commands may take: 20s by default."},
	}
}

const (
	defaultGrace   = 2 * time.Minute  // "the signal may be sent up to 60 seconds earlier than specified": sbatch(1)
	defaultTimeout = 20 * time.Second // twice MessageTimeout of slurm.conf(5)
)

// Check says what is wrong with the settings. Nothing in them can bring a line of its own into a script.
func (s Settings) Check() error {
	errs := []error{s.checkLines(), s.checkNumbers()}
	for _, option := range []struct{ name, value string }{
		{"partition", s.Partition}, {"account", s.Account}, {"qos", s.QOS}, {"constraint", s.Constraint}, {"gres", s.Gres}, {"gpus", s.GPUs},
	} {
		if i := strings.IndexFunc(option.value, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("\"'\\#`$", r) }); i >= 0 {
			errs = append(errs, fmt.Errorf("slurm: %s: %q cannot stand in an option of sbatch: no blanks, quotes, #, $ or backslashes",
				option.name, option.value))
		}
	}
	for _, line := range s.Extra {
		errs = append(errs, checkExtra(line))
	}
	for _, name := range s.Environment {
		if !regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`).MatchString(name) {
			errs = append(errs, fmt.Errorf("slurm: environment: %q is not the name of a variable; values stay where they are", name))
		}
		if regexp.MustCompile(`^(SBATCH|SLURM|SQUEUE|SCANCEL|SACCT)_`).MatchString(name) {
			errs = append(errs, fmt.Errorf("slurm: environment: sbatch itself obeys %s: write an option of sbatch into extra instead", name))
		}
	}
	if s.Gres != "" && s.GPUs != "" {
		errs = append(errs, errors.New("slurm: gres and gpus both ask for GPUs: write one of them"))
	}
	return errors.Join(errs...)
}

// checkLines refuses what would be more than a line.
func (s Settings) checkLines() error {
	var errs []error
	each := func(name, value string) {
		if i := strings.IndexFunc(value, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }); i >= 0 {
			errs = append(errs, fmt.Errorf("slurm: %s: %q has a line break or another control character; write one line each", name, value))
		}
	}
	for field, v := range reflect.ValueOf(s).Fields() {
		name := field.Tag.Get("mapstructure")
		switch value := v.Interface().(type) {
		case string:
			each(name, value)
		case []string:
			for _, line := range value {
				each(name, line)
			}
		}
	}
	return errors.Join(errs...)
}

func (s Settings) checkNumbers() error {
	var errs []error
	for _, number := range []struct {
		name  string
		value int64
	}{
		{"cpus", int64(s.CPUs)},
		{"memory", int64(s.Memory)},
		{"memory_max", int64(s.MemoryMax)},
		{"max_jobs", int64(s.MaxJobs)},
		{"time", int64(s.Time)},
		{"time_max", int64(s.TimeMax)},
		{"grace", int64(s.Grace)},
		{"timeout", int64(s.Timeout)},
	} {
		if number.value < 0 {
			errs = append(errs, fmt.Errorf("slurm: %s is negative", number.name))
		}
	}
	if s.MemoryMax > 0 && s.Memory > s.MemoryMax {
		errs = append(errs, fmt.Errorf("slurm: memory %s is more than memory_max %s", s.Memory, s.MemoryMax))
	}
	if s.TimeMax > 0 && s.Time > s.TimeMax {
		errs = append(errs, fmt.Errorf("slurm: time %s is more than time_max %s", s.Time, s.TimeMax))
	}
	return errors.Join(errs...)
}

// checkExtra refuses lines that are no options, and options by which jobs would get lost.
func checkExtra(line string) error {
	switch {
	case strings.HasPrefix(line, "#"):
		return fmt.Errorf("slurm: extra: %q: write the option alone, such as --exclude=node7", line)
	case !strings.HasPrefix(line, "-"):
		return fmt.Errorf("slurm: extra: %q is no option of sbatch: they begin with a dash", line)
	}
	for word := range strings.FieldsSeq(line) { // a line may have several
		option, _, _ := strings.Cut(strings.Trim(word, `"'`), "=")
		if setting := settingOf(option); setting != "" {
			return fmt.Errorf("slurm: extra: %s: write the setting %s instead: jobs ask for what their trials need", option, setting)
		}
		if slices.ContainsFunc(owned(), func(o string) bool { return isOption(option, o) }) {
			return fmt.Errorf("slurm: extra: %s is set for each batch; without that its jobs would not be found again", option)
		}
	}
	return nil
}

// settingOf is the setting that says what an option of sbatch does, where that is made of what is known of a trial.
func settingOf(option string) string {
	for setting, options := range map[string][]string{
		"memory":      {"--mem", "--mem-per-cpu", "--mem-per-gpu"},
		"time":        {"--time", "-t"},
		"environment": {"--export"},
	} {
		if slices.ContainsFunc(options, func(o string) bool { return isOption(option, o) }) {
			return setting
		}
	}
	return ""
}

// isOption reports whether sbatch takes a word for the option: -J, -Jname, --job-name and, as getopt_long(3) has it, --job.
func isOption(word, option string) bool {
	if strings.HasPrefix(option, "--") {
		return len(word) > 2 && strings.HasPrefix(option, word)
	}
	return strings.HasPrefix(word, option)
}

// owned are sbatch's options that Script and Submit rely on.
func owned() []string {
	return []string{
		"--array", "-a", "--job-name", "-J", "--chdir", "-D", "--output", "-o", "--error", "-e", "--requeue", "--no-requeue", "--signal",
		"--wrap", "--parsable", "--wait", "-W", "--test-only", "--clusters", "-M", "--uid", "--ntasks", "-n", "--nodes", "-N", "--het-group",
	}
}
