package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
)

// addCompletion lets shells complete the arguments and flags of a command and of all below it. An argument is completed by the word that
// stands for it in the command's Use, a flag by its name, so that a new command has both by itself.
func addCompletion(a *app, cmd *cobra.Command) {
	if cmd.ValidArgsFunction == nil && !cmd.HasSubCommands() {
		cmd.ValidArgsFunction = a.completeWords(argumentWords(cmd.Use))
	}
	complete := func(f *pflag.Flag) {
		if f.Name == "help" || f.Name == "version" {
			return
		}
		if err := cmd.RegisterFlagCompletionFunc(f.Name, a.flagCompletion(cmd.Name(), f)); err != nil {
			panic(err) // the flag is this command's, and has no completion yet
		}
	}
	cmd.LocalNonPersistentFlags().VisitAll(complete)
	cmd.PersistentFlags().VisitAll(complete)
	for _, sub := range cmd.Commands() {
		addCompletion(a, sub)
	}
}

// argumentWords are the words of a command's Use that stand for its arguments: NAME of "export [NAME] --to DIR".
func argumentWords(use string) []string {
	var words []string
	for _, word := range strings.Fields(use)[1:] {
		if strings.HasPrefix(strings.TrimLeft(word, "[{"), "--") {
			break
		}
		words = append(words, strings.Trim(word, "[]"))
	}
	return words
}

// completeWords completes each argument by its word, and nothing after the last.
func (a *app) completeWords(words []string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) >= len(words) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return a.argumentCompletion(words[len(args)])(cmd, args, start)
	}
}

// argumentCompletion completes what a word of a command's Use stands for; files where nothing better is known.
func (a *app) argumentCompletion(word string) cobra.CompletionFunc {
	switch word {
	case "NAME", "A", "B":
		return a.fromDatabase(sweepNames)
	case "TRIAL":
		return a.fromDatabase(trialIDs)
	case "LADDER":
		return a.fromDatabase(ladderNumbers)
	case "GRID.yaml":
		return filesEnding("yaml", "yml")
	case "FILE.db":
		return filesEnding("db")
	case "FILE.csv":
		return filesEnding("csv", "tsv")
	case "ADAPTER", "DIR":
		return foldersOnly
	case "OUTPUT":
		return oneOf(cobra.ShellCompDirectiveNoFileComp, slices.Sorted(maps.Keys(outputTypes()))...)
	}
	return cobra.NoFileCompletions
}

// flagCompletion completes a flag's value: what the database holds, the values it takes, or files where its text may name one.
func (a *app) flagCompletion(command string, f *pflag.Flag) cobra.CompletionFunc {
	switch f.Name {
	case "sweep":
		return a.fromDatabase(sweepNames)
	case "trial":
		return a.fromDatabase(trialIDs)
	case "cell":
		return a.fromDatabase(cellSettings)
	case "rank":
		return a.fromDatabase(rungRanks)
	case "samples":
		return filesEnding("json")
	case "seed":
		return a.fromDatabase(rungSeeds)
	case "backend":
		return oneOf(cobra.ShellCompDirectiveDefault, "auto", "xla:cpu", "xla:cuda", "go")
	case "track":
		return trackerTargets
	case "config":
		return filesEnding("yaml", "yml", "json", "toml")
	case "model", "data", "validation":
		return oneOf(cobra.ShellCompDirectiveDefault)
	case "root", "dir", "adapter":
		return foldersOnly
	}
	switch values := flagValues(command, f.Name); {
	case f.Name == "to" && command == "track":
		return trackerTargets
	case values != nil:
		return oneOf(cobra.ShellCompDirectiveNoFileComp, values...)
	case f.Name == "to", f.Name == "out" && command == "shrink":
		return foldersOnly
	case f.Name == "out":
		return oneOf(cobra.ShellCompDirectiveDefault)
	}
	return cobra.NoFileCompletions
}

// flagValues are the values of a flag that takes few; nil where it takes any.
func flagValues(command, flag string) []string {
	switch flag {
	case "output":
		return outputFormats
	case "executor":
		return executorNames()
	case "jobs":
		return []string{"auto"}
	case "platform":
		return []string{"cpu", "cuda"}
	case "direction":
		return []string{"min", "max"}
	case "take":
		return []string{"last", "best"}
	case "stop":
		return []string{string(plateau.StopLikely), string(plateau.StopCertified)}
	}
	switch command + " --" + flag {
	case "export --dtype":
		return trainer.Dtypes()
	case "eval --dtype", "shrink --dtype":
		return trial.Dtypes()
	case "shrink --to":
		return []string{"auto"}
	}
	return nil
}

// oneOf completes values that are known; directive says whether the value may be a file as well.
func oneOf(directive cobra.ShellCompDirective, values ...string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return beginning(values, start), directive
	}
}

// trackerTargets completes the tool of a target; where it is follows after a colon.
func trackerTargets(_ *cobra.Command, _ []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var targets []cobra.Completion
	for _, name := range trackerNames() {
		targets = append(targets, name+":")
	}
	return beginning(targets, start), cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
}

func filesEnding(extensions ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(extensions, cobra.ShellCompDirectiveFilterFileExt)
}

func foldersOnly(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// beginning returns the completions that begin with start.
func beginning(all []cobra.Completion, start string) []cobra.Completion {
	return slices.DeleteFunc(slices.Clone(all), func(c cobra.Completion) bool {
		return !strings.HasPrefix(c, start) || strings.Contains(c, "\n") || printable(c) != c // which a shell would write as it is
	})
}
