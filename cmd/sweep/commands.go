package main

import "github.com/spf13/cobra"

// commands lists the subcommands.
func commands() []func(*app) *cobra.Command {
	return []func(*app) *cobra.Command{
		newBackendCommand,
		newBackupCommand,
		newCancelCommand,
		newConfirmCommand,
		newDataCommand,
		newDiffCommand,
		newDoctorCommand,
		newEvalCommand,
		newExplainCommand,
		newExportCommand,
		newExtendCommand,
		newInitCommand,
		newListCommand,
		newLogsCommand,
		newManCommand,
		newMetricsCommand,
		newPauseCommand,
		newPlateauCommand,
		newPlanCommand,
		newPruneCommand,
		newRenameCommand,
		newReportCommand,
		newResumeCommand,
		newRetryCommand,
		newRmCommand,
		newRunCommand,
		newSamplesCommand,
		newSchemaCommand,
		newScoutCommand,
		newServeCommand,
		newShowCommand,
		newShrinkCommand,
		newStatusCommand,
		newTrackCommand,
		newValidateCommand,
		newVersionCommand,
		newWatchCommand,
		newWorkerCommand,
	}
}
