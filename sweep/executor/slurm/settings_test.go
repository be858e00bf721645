package slurm_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ranksweep/ranksweep/sweep/executor/cluster"
	"github.com/ranksweep/ranksweep/sweep/executor/slurm"
)

func TestSettingsThatDoNotServe(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		settings slurm.Settings
		want     string
	}{
		{slurm.Settings{Partition: "gpu\n#SBATCH --uid=0"}, "partition"},
		{slurm.Settings{Constraint: "a b"}, "constraint"},
		{slurm.Settings{Setup: []string{"module load cuda\nrm -rf ~"}}, "setup"},
		{slurm.Settings{Container: "apptainer exec\x00"}, "container"},
		{slurm.Settings{Extra: []string{"#SBATCH --exclude=n7"}}, "option alone"},
		{slurm.Settings{Extra: []string{"exclude=n7"}}, "begin with a dash"},
		{slurm.Settings{Extra: []string{"--array=0-7"}}, "--array"},
		{slurm.Settings{Extra: []string{"-J mine"}}, "-J"},
		{slurm.Settings{Extra: []string{"-Jmine"}}, "-J"},
		{slurm.Settings{Extra: []string{"--requeue"}}, "--requeue"},
		{slurm.Settings{Extra: []string{"--exclude=n7 --arr=1"}}, "--arr"},
		{slurm.Settings{Environment: []string{"TOKEN=abc"}}, "environment"},
		{slurm.Settings{Environment: []string{"SBATCH_PARTITION"}}, "into extra"},
		{slurm.Settings{Extra: []string{`--comment=a "--array=0-7"`}}, "--array"},
		{slurm.Settings{Extra: []string{"--mem-per-cpu=2G"}}, "the setting memory"},
		{slurm.Settings{Extra: []string{"-t5"}}, "the setting time"},
		{slurm.Settings{Extra: []string{"--export=NONE"}}, "the setting environment"},
		{slurm.Settings{Extra: []string{"--exp=NONE"}}, "the setting environment"}, // sbatch takes abbreviations
		{slurm.Settings{Gres: "gpu:1", GPUs: "1"}, "both ask for GPUs"},
		{slurm.Settings{CPUs: -1}, "cpus is negative"},
		{slurm.Settings{Memory: 2 << 30, MemoryMax: 1 << 30}, "memory 2GiB is more than memory_max 1GiB"},
		{slurm.Settings{Time: 2 * time.Hour, TimeMax: time.Hour}, "time 2h0m0s is more than time_max"},
	} {
		if err := c.settings.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Check(%+v) = %v, want a word of %q", c.settings, err, c.want)
		}
	}
}

// Whatever Check lets pass, the header has the options of the batch and nothing after them but the settings' own lines.
func TestSettingsAddNoLines(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.StringMatching(`[-a-z=&|# \n\r"']{0,12}`), rapid.String())
		s := slurm.Settings{
			Partition: text.Draw(t, "partition"), Constraint: text.Draw(t, "constraint"), Gres: text.Draw(t, "gres"),
			Extra: rapid.SliceOfN(text, 0, 2).Draw(t, "extra"),
		}
		if s.Check() != nil {
			return
		}
		plain := slurm.Script(slurm.Settings{}, cluster.Batch{Name: "b", Folder: "/b"})
		got := slurm.Script(s, cluster.Batch{Name: "b", Folder: "/b"})
		options := len(s.Extra)
		for _, value := range []string{s.Partition, s.Constraint, s.Gres} {
			if value != "" {
				options++
			}
		}
		isOption := func(line string) bool { return strings.HasPrefix(line, "#SBATCH -") }
		lines := strings.Split(got, "\n")
		n := 0
		for _, line := range lines {
			if isOption(line) {
				n++
			}
		}
		before := strings.Count(plain, "#SBATCH -")
		if n != before+options || len(lines) != strings.Count(plain, "\n")+1+options {
			t.Fatalf("%+v gave\n%s\nwith %d options of %d", s, got, n, before+options)
		}
	})
}

func TestKeysNameEverySetting(t *testing.T) {
	t.Parallel()
	documented := map[string]bool{}
	for _, k := range slurm.Keys() {
		documented[k.Name] = true
	}
	for field := range reflect.TypeFor[slurm.Settings]().Fields() {
		tag := field.Tag
		name := tag.Get("mapstructure")
		if !documented[name] || tag.Get("json") != name+",omitempty" {
			t.Errorf("%s: key %q is not in Keys, or its JSON name differs", field.Name, name)
		}
		delete(documented, name)
	}
	for name := range documented {
		t.Errorf("Keys has %s, which is no setting", name)
	}
}
