package main

import "github.com/spf13/cobra"

// commandGroup are the subcommands of one part of the work, under a title in the help.
type commandGroup struct {
	title    string
	commands []func(*app) *cobra.Command
}

// commandGroups lists the subcommands.
func commandGroups() []commandGroup {
	return []commandGroup{
		{"Find a rank:", []func(*app) *cobra.Command{
			newDataCommand, newInitCommand, newPlanCommand, newPlateauCommand, newResumeCommand, newRunCommand, newScoutCommand,
			newValidateCommand,
		}},
		{"Look at sweeps:", []func(*app) *cobra.Command{
			newDiffCommand, newExplainCommand, newListCommand, newLogsCommand, newMetricsCommand, newReportCommand, newServeCommand,
			newShowCommand, newStatusCommand, newTrackCommand, newWatchCommand,
		}},
		{"Keep and change sweeps:", []func(*app) *cobra.Command{
			newBackupCommand, newCancelCommand, newConfirmCommand, newExtendCommand, newPauseCommand, newPruneCommand, newRenameCommand,
			newRetryCommand, newRmCommand,
		}},
		{"Use adapters:", []func(*app) *cobra.Command{
			newEvalCommand, newExportCommand, newSamplesCommand, newShrinkCommand,
		}},
		{"This machine and program:", []func(*app) *cobra.Command{
			newBackendCommand, newDoctorCommand, newManCommand, newSchemaCommand, newVersionCommand, newWorkerCommand,
		}},
	}
}

// addCommands adds the subcommands. Help and completion, which cobra adds, come under the last title.
func addCommands(a *app, root *cobra.Command) {
	for _, g := range commandGroups() {
		root.AddGroup(&cobra.Group{ID: g.title, Title: g.title})
		for _, newCommand := range g.commands {
			sub := newCommand(a)
			sub.Args, sub.GroupID = usageArgs(sub.Args), g.title
			root.AddCommand(sub)
		}
		root.SetHelpCommandGroupID(g.title)
		root.SetCompletionCommandGroupID(g.title)
	}
}
