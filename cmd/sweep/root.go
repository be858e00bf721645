package main

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/grid"
)

// app holds what every command shares: the streams and the tool settings. Settings come from viper, in the order
// flag > SWEEP_* environment > config file > default; the grid never passes through it.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	clock          sweep.Clock
	command        string // as it was typed, without flags

	root     string // holds sweep.db, cache and trials
	database string // folder of sweep.db, where it is not the root: of --database
	output   string // one of outputFormats
	out      string // file to write the result to instead of stdout
	quiet    bool
	verbose  bool
	backend  string // auto, xla:cpu, xla:cuda, go or a plug-in's path
	jobs     int    // trials at the same time, or jobsAuto

	hungAfter time.Duration // of --hung-after

	executor executorKind  // of --executor
	ranBy    ranBy         // what of --executor and --cluster is kept beside the trials
	logTo    *switchWriter // where logs go: stderr, or above the bars on it
	serving  serving       // of --serve
	trackers []tracker     // of --track
	notify   []string      // of --notify: commands and addresses
}

// outputFormats are the values of -o. A command whose result has no rows refuses csv; md and html are for reports alone.
var outputFormats = []string{"table", "json", "csv", "md", "html"} //nolint:gochecknoglobals // a constant list

func newRootCommand(a *app) *cobra.Command {
	var config string
	v := viper.New()
	cmd := &cobra.Command{
		Use:     "sweep",
		Version: version,
		Short:   "Find the LoRA rank that pays: train a ladder of ranks, stop at the plateau, report what each rank cost",
		Example: `  sweep run grid.yaml              train, climb the ranks, stop at the plateau, report
  sweep resume                     continue after an interruption; nothing finished is trained again
  sweep report -o json             the verdict and every number behind it
  sweep plateau losses.csv         the same rule on your own numbers`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("unknown command %q%s (sweep --help lists the commands)", args[0], didYouMean(args[0], cmd))
			}
			return cmd.Help()
		},
		PersistentPreRunE: func(cmd *cobra.Command, args []string) error {
			a.command = strings.Join(append([]string{cmd.CommandPath()}, args...), " ")
			return a.configure(v, cmd, config)
		},
	}
	cmd.SuggestionsMinimumDistance = 2
	cmd.CompletionOptions.HiddenDefaultCmd = false
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w%s (see %s --help)", err, meantFlag(cmd, err), cmd.CommandPath())
	})
	f := cmd.PersistentFlags()
	f.StringVar(&config, "config", "", "settings file (default: sweep/config.yaml in the user's configuration folder)")
	f.String("root", "runs", "folder for the database, the cache and the trials")
	f.String("database", "", "`DIR` on a local disk for the database of a root on a network file system (sweep help cluster)")
	f.StringP("output", "o", "table", "output format: "+strings.Join(outputFormats, ", "))
	f.String("out", "", "write the result to this file instead of stdout")
	f.BoolP("quiet", "q", false, "no progress, only results and errors")
	f.BoolP("verbose", "v", false, "say more on stderr")
	f.String("backend", "auto", "auto, xla:cpu, xla:cuda, go, or the path of a PJRT plug-in")
	f.String("jobs", "auto", "trials to run at the same time, or auto")
	f.Duration("hung-after", defaultHungAfter, "end and retry a trial without progress for this `TIME`; 0: never (sweep help resume)")
	f.String("executor", "", "where trials run: "+strings.Join(executorNames(), ", ")+" (default: as before in this root, or local)")
	f.String("cluster", "", "settings `FILE` of what jobs ask a cluster for (sweep help cluster)")
	f.Bool("pilot", false, "on a cluster, have few jobs train many trials each, one after another (sweep help cluster)")
	f.StringArray("track", nil, "`TOOL:WHERE` to keep up to date with a sweep that runs; repeatable (sweep help tools)")
	f.StringArray("notify", nil, "`CMD` or webhook's URL that is told verdicts, failures and the end; repeatable (sweep help tools)")
	addHelp(a, cmd)
	addCommands(a, cmd)
	addCompletion(a, cmd)
	return cmd
}

// meantFlag names the flag that an unknown one is a typing error away from.
func meantFlag(cmd *cobra.Command, err error) string {
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok || unknown.GetSpecifiedShortnames() != "" {
		return ""
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	if meant, ok := grid.Nearest(unknown.GetSpecifiedName(), names); ok {
		return "; did you mean --" + meant + "?"
	}
	return ""
}

// usageArgs makes a wrong number of arguments a usage error (exit 2).
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	if check == nil {
		return nil
	}
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			want := ": " + strings.TrimSuffix(cmd.UseLine(), " [flags]")
			if strings.HasPrefix(err.Error(), "unknown command") { // takes none, and the line would say nothing new
				want = ""
			}
			return usagef("%w%s (see %s --help)", err, want, cmd.CommandPath())
		}
		return nil
	}
}

// configure resolves the tool settings into a.
func (a *app) configure(v *viper.Viper, cmd *cobra.Command, config string) (err error) {
	v.SetEnvPrefix("SWEEP")
	v.SetEnvKeyReplacer(strings.NewReplacer("-", "_"))
	v.AutomaticEnv()
	if err := v.BindPFlags(cmd.Root().PersistentFlags()); err != nil {
		return err
	}
	if err := readConfig(v, config); err != nil {
		return err
	}
	if a.root, err = filepath.Abs(v.GetString("root")); err != nil {
		return err
	}
	if folder := v.GetString("database"); folder != "" {
		if a.database, err = filepath.Abs(folder); err != nil {
			return err
		}
		if a.database == a.root {
			a.database = ""
		}
	}
	a.output, a.out = v.GetString("output"), v.GetString("out")
	a.quiet, a.verbose = v.GetBool("quiet"), v.GetBool("verbose")
	a.backend = v.GetString("backend")
	if a.jobs, err = parseJobs(v.GetString("jobs")); err != nil {
		return err
	}
	if a.hungAfter = v.GetDuration("hung-after"); a.hungAfter < 0 {
		return usagef("--hung-after %s: want a duration such as 10m, or 0", a.hungAfter)
	}
	if err := a.chooseExecutor(v.GetString("executor"), v.GetString("cluster"), config, v.GetBool("pilot")); err != nil {
		return err
	}
	if err := a.configureTracking(v, cmd); err != nil {
		return err
	}
	if !slices.Contains(outputFormats, a.output) {
		return usagef("-o %s: want one of %s", a.output, strings.Join(outputFormats, ", "))
	}
	if (a.output == "md" || a.output == "html") && !slices.Contains([]string{"report", "run", "resume", "confirm", "samples"}, cmd.Name()) {
		// Now, not after hours of training.
		return usagef("-o %s: only reports and, as md, samples have that form: use it with sweep report", a.output)
	}
	if slices.Contains([]string{"pause", "cancel", "rename", "retry", "rm"}, cmd.Name()) {
		for _, flag := range []string{"output", "out"} {
			if cmd.Flags().Changed(flag) {
				return usagef("--%s: %s prints no result; sweep status -o json says what has become of a sweep", flag, cmd.Name())
			}
		}
	}
	return nil
}

// defaultHungAfter is far beyond what a batch or writing a checkpoint takes.
const defaultHungAfter = 10 * time.Minute

// jobsAuto leaves the number of parallel trials to the machine.
const jobsAuto = 0

func parseJobs(text string) (int, error) {
	if text == "auto" {
		return jobsAuto, nil
	}
	jobs, err := strconv.Atoi(text)
	if err != nil || jobs < 1 {
		return 0, usagef("--jobs %s: want a number from 1, or auto", text)
	}
	return jobs, nil
}

func readConfig(v *viper.Viper, config string) error {
	if config = configPath(config); config == "" {
		return nil
	}
	text, err := readSettings(config)
	if err != nil {
		return err
	}
	file := viper.New() // of its own, so that its keys are told from the flags'
	file.SetConfigFile(config)
	if err := file.ReadConfig(bytes.NewReader(text)); err != nil {
		return usagef("settings file %s: %w", config, err)
	}
	known := v.AllKeys()
	for _, key := range file.AllKeys() {
		section, _, _ := strings.Cut(key, ".")
		if !slices.Contains(known, key) && !slices.Contains(clusterSections, section) {
			slices.Sort(known)
			return usagef("settings file %s: unknown key %q; the keys are the global flags: %s, and the sections %s", config, key,
				strings.Join(known, ", "), strings.Join(clusterSections, ", "))
		}
	}
	settings := file.AllSettings()
	for _, section := range clusterSections { // readSections reads them
		delete(settings, section)
	}
	return v.MergeConfigMap(settings)
}
