// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cluster is what the end-to-end tests do with a live cluster: make
// namespaces, servers and callers in it, call from inside their pods, and edit
// the mesh's objects.
package cluster

import (
	"fmt"
	"os"

	utilrand "k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/openservicemesh/mesh-apiserver/generated/clientset/versioned"
)

// Cluster is the cluster under test.
type Cluster struct {
	Config *rest.Config
	Core   kubernetes.Interface
	Mesh   versioned.Interface
	// Callers are meshed pods that every Shop waits for.
	Callers []*Pod

	// run is in the names of what this run makes.
	run string
}

// Connect uses the cluster that KUBECONFIG names.
func Connect() (*Cluster, error) {
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("the end-to-end tests need root, for the local cluster: run them as root")
	}
	path := os.Getenv("KUBECONFIG")
	if path == "" {
		return nil, fmt.Errorf("KUBECONFIG is not set: run make test-e2e, or eval \"$(make -s env)\" first")
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	// Tests poll, and many run at once.
	config.QPS, config.Burst = 200, 400
	config.WarningHandler = rest.NoWarnings{}
	core, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	mesh, err := versioned.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return &Cluster{Config: config, Core: core, Mesh: mesh, run: utilrand.String(5)}, nil
}
