// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/mesh-apiserver/apiserver/etcd"
)

func newRestoreCommand() *cobra.Command {
	var snapshot, dataDir string
	cmd := &cobra.Command{
		Use:   "restore",
		Short: "Put a snapshot's mesh resources in the place of those in a data directory",
		Long: `restore puts what a snapshot of the embedded etcd holds in the place of what is
in a data directory, whose server must have been stopped. The snapshot's hash is
checked first. What was there is kept beside it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			before, err := etcd.Restore(cmd.Context(), snapshot, dataDir)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "restored %s to %s\n", snapshot, dataDir)
			if before != "" {
				fmt.Fprintf(cmd.OutOrStdout(), "what was there is now in %s\n", before)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&snapshot, "snapshot", "", "The snapshot, a file that a server wrote to its --etcd-snapshot-dir.")
	cmd.Flags().StringVar(&dataDir, "data-dir", "/var/lib/mesh-apiserver", "The data directory, as the server's flag of this name.")
	// It fails only for a flag that is not there.
	_ = cmd.MarkFlagRequired("snapshot")
	return cmd
}
