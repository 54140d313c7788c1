// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package integration tests the API server against the real kube-apiserver and
// its aggregator.
package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/openservicemesh/mesh-apiserver/generated/clientset/versioned"
	"github.com/openservicemesh/mesh-apiserver/test/integration/harness"
)

// startTimeout is enough to compile Kubernetes on a slow machine.
const startTimeout = 30 * time.Minute

// The one cluster that all tests use, each in a namespace of its own.
var (
	kube   *harness.Kube
	server *harness.Mesh
	client versioned.Interface
	host   kubernetes.Interface
)

func TestMain(m *testing.M) {
	if err := harness.InNetworkNamespace(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code, err := runAll(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(code)
}

func runAll(m *testing.M) (code int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	root, err := filepath.Abs("../..")
	if err != nil {
		return 1, err
	}
	dir, err := os.MkdirTemp("", "mesh-integration-")
	if err != nil {
		return 1, err
	}
	defer func() {
		if code == 0 && err == nil {
			_ = os.RemoveAll(dir)
		} else {
			fmt.Fprintln(os.Stderr, "logs are kept in", dir)
		}
	}()
	if kube, err = harness.StartKube(ctx, dir, root); err != nil {
		return 1, err
	}
	defer kube.Stop(ctx)
	if server, err = harness.Install(ctx, kube, harness.MeshAddress); err != nil {
		return 1, err
	}
	defer server.Stop(ctx)
	if host, err = kubernetes.NewForConfig(kube.Admin); err != nil {
		return 1, err
	}
	if client, err = versioned.NewForConfig(kube.Admin); err != nil {
		return 1, err
	}
	return m.Run(), nil
}
