package main

import "github.com/spf13/cobra"

// commands lists the subcommands.
func commands() []func(*app) *cobra.Command {
	return []func(*app) *cobra.Command{
		newBackendCommand,
		newBackupCommand,
		newConfirmCommand,
		newDataCommand,
		newDiffCommand,
		newDoctorCommand,
		newEvalCommand,
		newExplainCommand,
		newExportCommand,
		newInitCommand,
		newListCommand,
		newLogsCommand,
		newManCommand,
		newMetricsCommand,
		newPlateauCommand,
		newPlanCommand,
		newReportCommand,
		newResumeCommand,
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
