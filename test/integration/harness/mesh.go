// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// endpoints stand in for the controller that follows pods: the server runs as a
// process here.
const endpoints = `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: mesh-apiserver
  namespace: mesh-system
  labels: {kubernetes.io/service-name: mesh-apiserver}
addressType: IPv4
endpoints:
- addresses: [` + MeshAddress + `]
  conditions: {ready: true}
ports:
- {name: https, port: 8443, protocol: TCP}
- {name: webhook, port: 9443, protocol: TCP}
- {name: xds, port: 15012, protocol: TCP}
`

// ShutdownDelay is how long a server serves while it says that it is not ready.
const ShutdownDelay = 2 * time.Second

// Mesh is a mesh-apiserver that is installed as users do it.
type Mesh struct {
	*Process
	kube   *Kube
	binary string
	// DataDir holds the embedded etcd.
	DataDir string
}

// Install applies the manifests, starts the server with the rights that they
// give, and waits until the aggregator reaches it.
func Install(ctx context.Context, kube *Kube) (*Mesh, error) {
	binary, err := meshBinary(ctx, kube)
	if err != nil {
		return nil, err
	}
	if _, err := kube.Kubectl(ctx, "", "apply", "-k", filepath.Join(kube.root, "artifacts/deploy")); err != nil {
		return nil, fmt.Errorf("apply manifests: %w", err)
	}
	if _, err := kube.Kubectl(ctx, endpoints, "apply", "-f", "-"); err != nil {
		return nil, fmt.Errorf("apply endpoints: %w", err)
	}
	m := &Mesh{kube: kube, binary: binary, DataDir: kube.path("mesh")}
	return m, m.Start(ctx)
}

func meshBinary(ctx context.Context, kube *Kube) (string, error) {
	if binary := os.Getenv("MESH_APISERVER_BINARY"); binary != "" {
		return binary, nil
	}
	binary := kube.path("mesh-apiserver")
	_, err := run(ctx, "", "go", "-C", kube.root, "build", "-o", binary, "./apiserver/cmd/mesh-apiserver")
	return binary, err
}

// Start runs the server, again if it was stopped.
func (m *Mesh) Start(ctx context.Context) error {
	var err error
	m.Process, err = m.run("mesh-apiserver", "--bind-address="+MeshAddress, "--data-dir="+m.DataDir)
	if err != nil {
		return err
	}
	return m.await(ctx, "the APIService being available", m.available)
}

// StartReplica runs a server beside the first, on the loopback address, with the
// cluster's etcd in place of its own, and waits until it is ready.
func (m *Mesh) StartReplica(ctx context.Context) (*Process, error) {
	replica, err := m.run("replica", "--bind-address=127.0.0.1", "--etcd-servers=http://127.0.0.1:2379")
	if err != nil {
		return nil, err
	}
	return replica, replica.await(ctx, "readiness", func(ctx context.Context) error {
		_, err := m.Ask(ctx, "127.0.0.1", "/readyz")
		return err
	})
}

func (m *Mesh) run(name string, args ...string) (*Process, error) {
	return start(m.kube.dir, name, m.binary, append(args,
		"--kubeconfig="+m.kube.meshKubeconfig, "--shutdown-delay-duration="+ShutdownDelay.String(), "-v=2")...)
}

// Ask gets a path from a server itself, past the aggregator.
func (m *Mesh) Ask(ctx context.Context, address, path string) (string, error) {
	return m.kube.Kubectl(ctx, "", "--server=https://"+address+":8443", "--insecure-skip-tls-verify", "get", "--raw", path)
}

func (m *Mesh) available(ctx context.Context) error {
	client, err := dynamic.NewForConfig(m.kube.Admin)
	if err != nil {
		return err
	}
	services := client.Resource(schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"})
	service, err := services.Get(ctx, "v1alpha1.mesh.openservicemesh.io", metav1.GetOptions{})
	if err != nil {
		return err
	}
	conditions, _, err := unstructured.NestedSlice(service.Object, "status", "conditions")
	if err != nil {
		return err
	}
	for _, c := range conditions {
		if condition, ok := c.(map[string]any); ok && condition["type"] == "Available" && condition["status"] == "True" {
			return m.answers(ctx)
		}
	}
	return fmt.Errorf("not available: %v", conditions)
}

// answers asks for the group through the aggregator: the condition may be old.
func (m *Mesh) answers(ctx context.Context) error {
	_, err := m.kube.Kubectl(ctx, "", "get", "--raw", "/apis/mesh.openservicemesh.io/v1alpha1/meshpolicies?limit=1")
	return err
}

func get(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	return nil
}
