// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Command mesh-apiserver is the control plane of the mesh. Without a subcommand
// it serves the mesh's API and controls the proxies.
package main

import (
	"os"

	"k8s.io/apiserver/pkg/util/compatibility"
	"k8s.io/component-base/cli"
)

func main() {
	os.Exit(cli.Run(newCommand(compatibility.DefaultComponentGlobalsRegistry)))
}
