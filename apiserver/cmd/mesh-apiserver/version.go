// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/mesh-apiserver/apiserver/options"
)

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			build := options.BuildVersion()
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "mesh-apiserver %s %s %s\n", build.GitVersion, build.GitCommit, build.GoVersion)
			return err
		},
	}
}
