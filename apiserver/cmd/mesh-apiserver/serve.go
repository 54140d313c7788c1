// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"
	genericapiserver "k8s.io/apiserver/pkg/server"
	cliflag "k8s.io/component-base/cli/flag"
	"k8s.io/component-base/cli/globalflag"
	basecompatibility "k8s.io/component-base/compatibility"
	"k8s.io/klog/v2"

	"github.com/openservicemesh/mesh-apiserver/apiserver/options"
	"github.com/openservicemesh/mesh-apiserver/apiserver/server"
)

const long = `mesh-apiserver serves the API of the mesh as an aggregated API server, and is
the control plane: it turns mesh resources, Services, EndpointSlices and Pods
into configuration for Envoy proxies, puts the proxies into pods, and signs
their certificates.

It runs in the cluster, as a StatefulSet (artifacts/deploy). To try a change,
run it beside a cluster, with an etcd of its own:

  mesh-apiserver --kubeconfig=$HOME/.kube/config --data-dir=/tmp/mesh

Subcommands, each with a --help of its own: restore brings a snapshot of the
embedded etcd back, version prints which build this is.`

// helpWidth is where lines of --help end.
const helpWidth = 100

// newCommand is the root: it serves. Its subcommands run elsewhere. A registry is
// for one command.
func newCommand(registry basecompatibility.ComponentGlobalsRegistry) *cobra.Command {
	o, err := options.NewOptions(registry)
	cmd := &cobra.Command{
		Use:   "mesh-apiserver",
		Short: "The API server and control plane of the mesh",
		Long:  long,
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err != nil {
				return err
			}
			return serve(o)
		},
	}
	// Help that is grouped by topic is for the server's flags alone.
	usage, help := cmd.UsageFunc(), cmd.HelpFunc()
	if err == nil {
		addFlags(cmd, o)
	}
	for _, sub := range []*cobra.Command{newRestoreCommand(), newVersionCommand()} {
		sub.SetUsageFunc(usage)
		sub.SetHelpFunc(help)
		cmd.AddCommand(sub)
	}
	return cmd
}

func addFlags(cmd *cobra.Command, o *options.Options) {
	sets := o.Flags()
	globalflag.AddGlobalFlags(sets.FlagSet("global"), cmd.Name())
	for _, set := range sets.FlagSets {
		cmd.Flags().AddFlagSet(set)
	}
	cliflag.SetUsageAndHelpFunc(cmd, sets, helpWidth)
}

func serve(o *options.Options) error {
	if err := o.Complete(); err != nil {
		return err
	}
	if err := o.Validate(); err != nil {
		return err
	}
	build := options.BuildVersion()
	klog.InfoS("Starting mesh-apiserver", "version", build.GitVersion, "commit", build.GitCommit)
	return server.Run(genericapiserver.SetupSignalContext(), o)
}
