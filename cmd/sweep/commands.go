package main

import "github.com/spf13/cobra"

// commands lists the subcommands.
func commands() []func(*app) *cobra.Command {
	return []func(*app) *cobra.Command{
		newBackendCommand,
		newConfirmCommand,
		newDataCommand,
		newDoctorCommand,
		newEvalCommand,
		newExplainCommand,
		newExportCommand,
		newInitCommand,
		newListCommand,
		newLogsCommand,
		newMetricsCommand,
		newPlateauCommand,
		newPlanCommand,
		newReportCommand,
		newResumeCommand,
		newRunCommand,
		newSchemaCommand,
		newScoutCommand,
		newServeCommand,
		newShowCommand,
		newShrinkCommand,
		newStatusCommand,
		newValidateCommand,
		newVersionCommand,
		newWorkerCommand,
	}
}
