// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// liveCluster is the cluster of KUBECONFIG, in which the mesh is installed.
func liveCluster() (*rest.Config, kubernetes.Interface, error) {
	path := os.Getenv("KUBECONFIG")
	if path == "" {
		return nil, nil, errors.New("KUBECONFIG is not set: this part needs the mesh on the local cluster, see docs/performance.md")
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return nil, nil, err
	}
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	return config, client, err
}

var obeyed = regexp.MustCompile(`new connection +([0-9.]+) ms, old connection +([0-9.]+) ms`)

// measurePolicy edits the bookstore's policy, as the demo does, and takes the
// time from the write to the first request that obeys.
func measurePolicy(ctx context.Context, _ *session) ([]Figure, error) {
	if _, _, err := liveCluster(); err != nil {
		return nil, err
	}
	prepare := exec.CommandContext(ctx, "hack/bench/bookstore.sh")
	if out, err := prepare.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("prepare the bookstore: %w\n%s", err, out)
	}
	out, err := exec.CommandContext(ctx, "_output/bin/demo", "obey", "--rounds", "100").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("demo obey: %w\n%s", err, out)
	}
	took := map[string][]float64{}
	for _, match := range obeyed.FindAllStringSubmatch(string(out), -1) {
		for i, connection := range []string{"new", "old"} {
			v, err := strconv.ParseFloat(match[i+1], 64)
			if err != nil {
				return nil, err
			}
			took[connection] = append(took[connection], v)
		}
	}
	var figures []Figure
	for _, connection := range []string{"new", "old"} {
		v := took[connection]
		if len(v) == 0 {
			return nil, fmt.Errorf("demo obey has shown nothing:\n%s", out)
		}
		figures = append(figures,
			Figure{Name: "write sent → first obeying request, " + connection + " connection, p50", Value: quantile(v, 0.5), Unit: "ms", Samples: len(v), Aim: atMost(30)},
			Figure{Name: "write sent → first obeying request, " + connection + " connection, p99", Value: quantile(v, 0.99), Unit: "ms", Samples: len(v)})
	}
	return figures, nil
}
