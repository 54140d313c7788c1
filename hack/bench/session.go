// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/leaf"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/root"
	"github.com/openservicemesh/mesh-apiserver/test/integration/harness"
)

// session is what parts share: a cluster without nodes, made by the first that asks.
type session struct {
	dir  string
	kube *harness.Kube
	mesh *harness.Mesh
	host kubernetes.Interface
	// profiles is a directory for profiles of the server, or empty.
	profiles string
}

// start gives etcd, kube-apiserver and mesh-apiserver as processes, and a
// client with one open connection.
func (s *session) start(ctx context.Context) error {
	if s.mesh != nil {
		return nil
	}
	repository, err := filepath.Abs(".")
	if err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp("", "mesh-bench-"); err != nil {
		return err
	}
	if s.kube, err = harness.StartKube(ctx, s.dir, repository); err != nil {
		return err
	}
	if s.host, err = kubernetes.NewForConfig(s.kube.Admin); err != nil {
		return err
	}
	mesh, err := harness.Install(ctx, s.kube, harness.MeshAddress)
	if err != nil {
		return err
	}
	s.mesh = mesh
	return nil
}

func (s *session) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if s.mesh != nil {
		_ = s.mesh.Stop(ctx)
	}
	if s.kube != nil {
		_ = s.kube.Stop(ctx)
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

// issuer reads the mesh's own root, to make certificates for many proxies
// without a kubelet for each.
func (s *session) issuer(ctx context.Context) (leaf.CA, []byte, error) {
	r, err := root.Get(ctx, s.host, harness.SystemNamespace)
	if err != nil {
		return leaf.CA{}, nil, fmt.Errorf("read the mesh's root: %w", err)
	}
	return r.Signing.CA(), r.PEM(), nil
}
