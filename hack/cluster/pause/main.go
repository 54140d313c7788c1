// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Command pause holds a pod's namespaces open until it is told to end.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	// With shareProcessNamespace pause is process 1, which reaps orphans.
	// Asking the kernel to do it leaves nothing to do here.
	signal.Ignore(syscall.SIGCHLD)
	<-ended
}
