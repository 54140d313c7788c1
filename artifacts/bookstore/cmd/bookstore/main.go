// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Command bookstore is every part of the bookstore demo in one binary: a shop,
// its warehouse, an honest customer, a thief, a TCP echo pair, a server that
// tells what it saw of a request, and the probes by which the demo and the tests
// look at them from inside their own pods.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := &cobra.Command{
		Use:           "bookstore",
		Short:         "The bookstore demo: servers, callers and probes",
		SilenceUsage:  true,
		SilenceErrors: false,
	}
	attached := root.PersistentFlags().Bool("attached", false, "end when standard input does: that of a remote command ends when who ran it goes away")
	root.PersistentPreRun = func(cmd *cobra.Command, _ []string) {
		if *attached {
			cmd.SetContext(untilInputEnds(cmd.Context()))
		}
	}
	root.AddCommand(newStoreCommand(), newWarehouseCommand(), newVisitorCommand(),
		newEchoCommand(), newAdmitCommand(), newReflectCommand(), newRedirectCommand(), newGetCommand(), newGRPCCommand(), newProbeCommand(), newHoldCommand(), newStreamCommand())
	if err := root.ExecuteContext(ctx); err != nil {
		os.Exit(1)
	}
}

func untilInputEnds(ctx context.Context) context.Context {
	ctx, end := context.WithCancel(ctx)
	go func() {
		defer end()
		// What is written there, and how it ended, says nothing.
		_, _ = io.Copy(io.Discard, os.Stdin)
	}()
	return ctx
}
