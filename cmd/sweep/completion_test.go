package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
)

// offers returns what a shell is offered for the last word of a line, and cobra's directive.
func offers(t *testing.T, line ...string) (offered []string, directive string) {
	t.Helper()
	code, stdout, stderr := sweepCommand(t, append([]string{"__completeNoDesc"}, line...)...)
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if code != exitOK || strings.Contains(stderr, "rror") {
		t.Fatalf("completion of %q = %d, %q, said %q", line, code, stdout, stderr)
	}
	return lines[:len(lines)-1], lines[len(lines)-1]
}

// What a shell does beside offering words.
const (
	filesToo  = ":0"
	noFiles   = ":4"
	extension = ":8"
	folders   = ":16"
	noSpace   = ":6" // and no files
)

func TestCompletion(t *testing.T) {
	t.Parallel()
	root, done, open := midwayRoot(t)
	ids := []string{string(done.ID), string(open.ID)}
	slices.Sort(ids)
	for name, test := range map[string]struct {
		line      []string
		want      []string
		directive string
	}{
		"a sweep":              {[]string{"report", ""}, []string{"prose"}, noFiles},
		"no sweep begins so":   {[]string{"status", "x"}, nil, noFiles},
		"only one sweep":       {[]string{"export", "prose", ""}, nil, noFiles},
		"the sweep of a flag":  {[]string{"explain", "--sweep", "pr"}, []string{"prose"}, noFiles},
		"a trial":              {[]string{"show", string(done.ID)[:5]}, []string{string(done.ID)}, noFiles},
		"the trial of a flag":  {[]string{"eval", "--trial", string(open.ID)[:5]}, []string{string(open.ID)}, noFiles},
		"a ladder":             {[]string{"explain", ""}, []string{"1"}, noFiles},
		"a ladder of a sweep":  {[]string{"explain", "--sweep", "prose", ""}, []string{"1"}, noFiles},
		"a ladder of no sweep": {[]string{"explain", "--sweep", "verse", ""}, nil, noFiles},
		"a rank":               {[]string{"export", "prose", "--rank", ""}, []string{"1", "2"}, noFiles},
		"a seed":               {[]string{"export", "--seed", ""}, []string{"0", "1"}, noFiles},
		"a cell of one ladder": {[]string{"export", "--cell", ""}, nil, noFiles},
		"a format":             {[]string{"report", "-o", "j"}, []string{"json"}, noFiles},
		"an executor":          {[]string{"run", "--executor", ""}, executorNames(), noFiles},
		"a tool":               {[]string{"run", "--track", "t"}, []string{"tensorboard:"}, noSpace},
		"a tool to send to":    {[]string{"track", "--to", "tens"}, []string{"tensorboard:"}, noSpace},
		"a backend":            {[]string{"run", "--backend", "xla"}, []string{"xla:cpu", "xla:cuda"}, filesToo},
		"a dtype":              {[]string{"export", "--dtype", "b"}, []string{"bfloat16"}, noFiles},
		"a rule":               {[]string{"plateau", "--stop", ""}, []string{"likely", "certified"}, noFiles},
		"a grid":               {[]string{"run", ""}, []string{"yaml", "yml"}, extension},
		"one grid":             {[]string{"run", "grid.yaml", ""}, nil, noFiles},
		"an adapter":           {[]string{"shrink", ""}, nil, folders},
		"a number":             {[]string{"logs", "--attempt", ""}, nil, noFiles},
		"nothing to name":      {[]string{"list", ""}, nil, noFiles},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			offered, directive := offers(t, append([]string{test.line[0], "--root", root}, test.line[1:]...)...)
			if diff := cmp.Diff(test.want, offered, cmpopts.EquateEmpty()); diff != "" || directive != test.directive {
				t.Errorf("completion of %q is %s, want %s (-want +got):\n%s", test.line, directive, test.directive, diff)
			}
		})
	}
	if _, stdout, _ := sweepCommand(t, "__complete", "show", "--root", root, string(done.ID)); !strings.Contains(stdout,
		string(done.ID)+"\tprose: rank 1, seed 0\n") {
		t.Errorf("a trial is not described:\n%s", stdout)
	}
}

// TestCompletionOfAxes: of several ladders the axes' values are offered, and each ladder with its own.
func TestCompletionOfAxes(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	db, err := store.Open(t.Context(), filepath.Join(root, "sweep.db"))
	if err != nil {
		t.Fatal(err)
	}
	id, err := db.CreateSweep(t.Context(), sweeptest.Info("axes", 0))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Register(t.Context(), id, sweeptest.Registration([]float64{8, 16}, []int{1}, []int64{0})); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if got, _ := offers(t, "export", "--root", root, "--cell", "al"); !slices.Equal(got, []string{"alpha=8", "alpha=16"}) {
		t.Errorf("--cell offers %q", got)
	}
	_, stdout, _ := sweepCommand(t, "__complete", "explain", "--root", root, "")
	if want := "1\talpha=8\n2\talpha=16\n" + noFiles + "\n"; stdout != want {
		t.Errorf("explain offers %q, want %q", stdout, want)
	}
}

// TestCompletionWithoutDatabase: a shell hears nothing, and the folder stays as it is.
func TestCompletionWithoutDatabase(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "runs")
	for _, line := range [][]string{{"report", ""}, {"show", ""}, {"explain", ""}, {"export", "--cell", ""}} {
		code, stdout, stderr := sweepCommand(t, append([]string{"__complete", line[0], "--root", root}, line[1:]...)...)
		if code != exitOK || stdout != noFiles+"\n" || !strings.HasPrefix(stderr, "Completion ended with directive") {
			t.Errorf("completion of %q = %d, %q, said %q", line, code, stdout, stderr)
		}
	}
	if _, err := os.Stat(root); !os.IsNotExist(err) {
		t.Errorf("completion left %s: %v", root, err)
	}
}

// TestCompletionKnowsEveryWord: each argument that a Use names is completed, and a flag that lists its values offers the same.
func TestCompletionKnowsEveryWord(t *testing.T) {
	t.Parallel()
	known := []string{"NAME", "A", "B", "TRIAL", "LADDER", "GRID.yaml", "FILE.csv", "FILE.db", "ADAPTER", "DIR", "OUTPUT", "NEW"}
	root := newRootCommand(&app{})
	eachCommand(root, func(c *cobra.Command) {
		if c == root || c.Name() == "help" {
			return
		}
		for _, word := range argumentWords(c.Use) {
			if !slices.Contains(known, word) {
				t.Errorf("%s: nothing completes %s", c.CommandPath(), word)
			}
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if _, ok := c.GetFlagCompletionFunc(f.Name); !ok && f.Name != "help" && c.LocalNonPersistentFlags().Lookup(f.Name) != nil {
				t.Errorf("%s --%s has no completion", c.CommandPath(), f.Name)
			}
			for _, value := range flagValues(c.Name(), f.Name) {
				if !strings.Contains(f.Usage+f.DefValue, value) {
					t.Errorf("%s --%s completes %s, which its help does not name: %s", c.CommandPath(), f.Name, value, f.Usage)
				}
			}
		})
	})
}

// TestDidYouMean: a typing error in a flag, a command or a sweep's name is told what was meant; what is like nothing is not.
func TestDidYouMean(t *testing.T) {
	t.Parallel()
	root, _, _ := midwayRoot(t)
	for name, test := range map[string]struct {
		line []string
		code int
		want string
	}{
		"a flag of all":     {[]string{"run", "--jbos", "2"}, exitUsage, "unknown flag: --jbos; did you mean --jobs? (see sweep run --help)"},
		"a flag of one":     {[]string{"explain", "--swep", "x"}, exitUsage, "unknown flag: --swep; did you mean --sweep?"},
		"a value with it":   {[]string{"run", "--rooot=x"}, exitUsage, "did you mean --root?"},
		"a flag of nothing": {[]string{"run", "--xyzzyx"}, exitUsage, "unknown flag: --xyzzyx (see sweep run --help)"},
		"a letter":          {[]string{"run", "-x"}, exitUsage, "unknown shorthand flag: 'x' in -x (see sweep run --help)"},
		"a command":         {[]string{"reprot"}, exitUsage, `unknown command "reprot"; did you mean "report"?`},
		"help":              {[]string{"hlep"}, exitUsage, `unknown command "hlep"; did you mean "help"?`},
		"no command":        {[]string{"xyzzy"}, exitUsage, `unknown command "xyzzy" (sweep --help lists the commands)`},
		"a sweep":           {[]string{"report", "porse"}, exitNotFound, "sweep.db holds prose; did you mean prose?"},
		"a sweep of status": {[]string{"status", "prosa"}, exitNotFound, "did you mean prose?"},
		"no such sweep":     {[]string{"report", "something"}, exitNotFound, "sweep.db holds prose\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := sweepCommand(t, append(test.line, "--root", root)...)
			if code != test.code || stdout != "" || !strings.Contains(stderr, test.want) {
				t.Errorf("%q = %d, %q, said %q, want %d and %q", test.line, code, stdout, stderr, test.code, test.want)
			}
		})
	}
}
