// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Command demo looks at a running bookstore from outside its pods: what
// certificate a sidecar shows, and how long an edited policy takes to be obeyed.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := &cobra.Command{
		Use:          "demo",
		Short:        "Look at a running bookstore from outside",
		SilenceUsage: true,
	}
	root.AddCommand(newIdentityCommand(), newObeyCommand())
	if err := root.ExecuteContext(ctx); err != nil {
		os.Exit(1)
	}
}

// hostConfig is the cluster that KUBECONFIG names.
func hostConfig() (*rest.Config, error) {
	path := os.Getenv("KUBECONFIG")
	if path == "" {
		return nil, fmt.Errorf(`KUBECONFIG is not set: run eval "$(make -s env)" first`)
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	// The client's own limit, five writes a second, would be what obey measures.
	config.QPS = -1
	return config, nil
}
