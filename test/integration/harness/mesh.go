// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// Names that the manifests fix.
const (
	SystemNamespace = "mesh-system"
	ServingSecret   = "mesh-apiserver-tls"
	RootSecret      = "mesh-root"
	APIService      = "v1alpha1.mesh.openservicemesh.io"
	// ServerName is the DNS name in the server's certificates.
	ServerName = "mesh-apiserver." + SystemNamespace + ".svc"
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
- addresses: [%s]
  conditions: {ready: true}
ports:
- {name: https, port: 8443, protocol: TCP}
- {name: webhook, port: 9443, protocol: TCP}
- {name: xds, port: 15012, protocol: TCP}
`

// Mesh is a mesh-apiserver.
type Mesh struct {
	*Process
	kube         *Kube
	binary, name string
	flags        []string
	// Address is what all its ports listen on.
	Address string
	// DataDir holds the embedded etcd.
	DataDir string
}

// Install applies the manifests as users do, starts the server with the rights
// that they give, at an address, and waits until the aggregator reaches it.
func Install(ctx context.Context, kube *Kube, address string) (*Mesh, error) {
	binary, err := meshBinary(ctx, kube)
	if err != nil {
		return nil, err
	}
	if _, err := kube.Kubectl(ctx, "", "apply", "-k", kube.Manifest("")); err != nil {
		return nil, fmt.Errorf("apply manifests: %w", err)
	}
	if _, err := kube.Kubectl(ctx, fmt.Sprintf(endpoints, address), "apply", "-f", "-"); err != nil {
		return nil, fmt.Errorf("apply endpoints: %w", err)
	}
	m := &Mesh{kube: kube, binary: binary, name: "mesh-apiserver", Address: address, DataDir: kube.path("mesh"),
		flags: []string{"--shutdown-delay-duration=0s", "--root-publish-for=6s"}}
	return m, m.Start(ctx)
}

// meshBinary compiles as `make build` does, so that its cache serves here.
func meshBinary(ctx context.Context, kube *Kube) (string, error) {
	if binary := os.Getenv("MESH_APISERVER_BINARY"); binary != "" {
		return binary, nil
	}
	binary := kube.path("mesh-apiserver")
	_, err := run(ctx, "", "env", "CGO_ENABLED=0", "go", "-C", kube.root, "build", "-trimpath", "-o", binary, "./apiserver/cmd/mesh-apiserver")
	return binary, err
}

// Sibling is another server with the same rights in the same cluster, which the
// aggregator does not know. It has data of its own.
func (m *Mesh) Sibling(name, address string, flags ...string) *Mesh {
	return &Mesh{kube: m.kube, binary: m.binary, name: name, Address: address, DataDir: m.kube.path(name), flags: flags}
}

// Launch runs the server and does not wait.
func (m *Mesh) Launch() error {
	var err error
	// The name of a pod, by which it goes on leading when it is started again.
	m.Process, err = start(m.kube.dir, m.name, "env", append([]string{"POD_NAME=" + m.name, m.binary,
		"--kubeconfig=" + m.kube.meshKubeconfig, "--bind-address=" + m.Address, "--data-dir=" + m.DataDir, "-v=2",
	}, m.flags...)...)
	return err
}

// Start runs the server, again if it was stopped, until the aggregator reaches it.
func (m *Mesh) Start(ctx context.Context) error {
	if err := m.Launch(); err != nil {
		return err
	}
	return m.await(ctx, "the APIService being available", m.available)
}

// AwaitReady waits until the server says that it is ready, as the kubelet asks it:
// the database of a sibling is not the mesh's.
func (m *Mesh) AwaitReady(ctx context.Context) error {
	return m.await(ctx, "readiness", func(ctx context.Context) error {
		body, err := m.Ask(ctx, "/readyz?exclude=mesh-database")
		if err != nil {
			return fmt.Errorf("%w\n%s", err, body)
		}
		return nil
	})
}

// Direct is a client configuration of the administrator that reaches this server
// without the aggregator.
func (m *Mesh) Direct(ctx context.Context) (*rest.Config, error) {
	core, err := kubernetes.NewForConfig(m.kube.Admin)
	if err != nil {
		return nil, err
	}
	serving, err := core.CoreV1().Secrets(SystemNamespace).Get(ctx, ServingSecret, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	config := rest.CopyConfig(m.kube.Admin)
	config.Host = "https://" + m.Address + ":8443"
	config.CAFile, config.CAData, config.ServerName = "", serving.Data[corev1.TLSCertKey], ServerName
	return config, nil
}

// Ask gets a path of the server itself. What was answered comes with the error
// of a status other than 200.
func (m *Mesh) Ask(ctx context.Context, path string) (string, error) {
	config, err := m.Direct(ctx)
	if err != nil {
		return "", err
	}
	tls, err := rest.TLSConfigFor(config)
	if err != nil {
		return "", err
	}
	// A server that has just started does not ask for certificates yet, and a connection
	// of then is anonymous to its end: nothing else may use it.
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: tls, DisableKeepAlives: true}}
	return get(ctx, client, config.Host+path)
}

func (m *Mesh) available(ctx context.Context) error {
	client, err := dynamic.NewForConfig(m.kube.Admin)
	if err != nil {
		return err
	}
	services := client.Resource(schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"})
	service, err := services.Get(ctx, APIService, metav1.GetOptions{})
	if err != nil {
		return err
	}
	conditions, _, err := unstructured.NestedSlice(service.Object, "status", "conditions")
	if err != nil {
		return err
	}
	for _, c := range conditions {
		if condition, ok := c.(map[string]any); ok && condition["type"] == "Available" && condition["status"] == "True" {
			return errors.Join(m.answers(ctx), m.ready(ctx), m.Leads(ctx))
		}
	}
	return fmt.Errorf("not available: %v", conditions)
}

// answers asks for the group through the aggregator: the condition may be old.
func (m *Mesh) answers(ctx context.Context) error {
	_, err := m.kube.Kubectl(ctx, "", "get", "--raw", "/apis/mesh.openservicemesh.io/v1alpha1/meshpolicies?limit=1")
	return err
}

func (m *Mesh) ready(ctx context.Context) error {
	_, err := m.Ask(ctx, "/readyz")
	return err
}

// Leads tells whether the server is the leader of its replicas, nil if it is. A sibling
// that was killed is, for 15 s more.
func (m *Mesh) Leads(ctx context.Context) error {
	metrics, err := Get(ctx, "http://"+m.Address+":9090/metrics")
	if err != nil {
		return err
	}
	if !strings.Contains(metrics, `leader_election_master_status{name="mesh-apiserver"} 1`) {
		return errors.New("it does not lead")
	}
	return nil
}

// Manifest is the path of a file of what is installed.
func (k *Kube) Manifest(name string) string {
	return filepath.Join(k.root, "artifacts/deploy", name)
}

// Get gets a URL without credentials, for the ports that ask for none.
func Get(ctx context.Context, url string) (string, error) {
	return get(ctx, http.DefaultClient, url)
}
