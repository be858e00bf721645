package main

import (
	"errors"
	"io/fs"

	"github.com/spf13/cobra"
)

func newBackupCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE.db",
		Short: "Write the root's database to a file, also while sweeps run",
		Long: `backup writes all facts of the root's sweeps to one database file. It may be used at any time: a copy of sweep.db made while a
sweep runs lacks what still lies in sweep.db-wal, or cannot be read at all. FILE.db must not exist.

The trials' folders are not in it. They hold the adapters, which export, eval and samples need, and the checkpoints, from which
resume continues. Reports need the database alone: put the file into a folder of its own as sweep.db and name that with --root.`,
		Example: `  sweep backup sweeps-$(date +%F).db
  mkdir archive && sweep backup archive/sweep.db && sweep report --root archive`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			db, err := a.openReadOnly(cmd.Context())
			if err != nil {
				return err
			}
			err = db.Backup(cmd.Context(), args[0])
			if err := errors.Join(err, db.Close()); errors.Is(err, fs.ErrExist) {
				return usagef("%s is there already: name another file", args[0])
			} else if err != nil {
				return err
			}
			a.say("wrote the database to %s", args[0])
			return nil
		},
	}
}
