// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Command mesh-helper runs in the pods of the mesh: `init` as the container
// mesh-init, which redirects the pod's traffic and waits for its proxy, and
// `drain` as the proxy's preStop hook. Each pod gets a copy of it, so it is small:
// it links neither Kubernetes nor Envoy's messages nor net/http.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const usage = `Usage: mesh-helper init|drain [flags]

  init    redirect the pod's TCP traffic to its proxy, and wait until that has its configuration
  drain   let the proxy finish the calls that it carries inwards

mesh-helper COMMAND -h lists the flags.
`

func main() {
	// As the first process of a container it ends by a signal only if it asks for it.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		say("%v", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "init":
			return runInit(ctx, args[1:])
		case "drain":
			return runDrain(ctx, args[1:])
		}
	}
	return fmt.Errorf("name a command\n%s", usage)
}

// say writes a line to the container's log.
func say(format string, values ...any) {
	fmt.Fprintf(os.Stderr, "mesh-helper: "+format+"\n", values...)
}
