// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/xds/xdstest"
	"github.com/openservicemesh/mesh-apiserver/test/e2e/cluster"
)

// Whoever has a pod's key is that pod, and nobody else by saying so.
func TestAStreamIsWhoItsCertificateSays(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	credential := credentialOf(t, shop.Pod)
	if err := discover(t, credential, buyer); status.Code(err) != codes.PermissionDenied {
		t.Errorf("a stream that says it is another pod: got %v, want PermissionDenied", err)
	}
	if err := discover(t, credential, shop.Pod); err != nil {
		t.Errorf("a stream that says who it is: %v", err)
	}
}

// discover opens a stream with a certificate, asks for clusters as a node, and
// gives how that ended.
func discover(t *testing.T, credential tls.Certificate, node *cluster.Pod) error {
	t.Helper()
	service, err := live.Core.CoreV1().Services(cluster.SystemNamespace).Get(t.Context(), "mesh-apiserver", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	client, err := xdstest.Connect(t.Context(), service.Spec.ClusterIP+":15012", &tls.Config{
		Certificates: []tls.Certificate{credential}, RootCAs: publishedRoots(t),
		ServerName: "mesh-apiserver." + cluster.SystemNamespace + ".svc", MinVersion: tls.VersionTLS13,
	}, node.Namespace+"/"+node.Name+"/"+node.UID)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.Subscribe(xdstest.ClusterType, xdstest.Wildcard); err != nil {
		return err
	}
	_, err = client.Receive()
	return err
}

// credentialOf reads what the kubelet of this machine wrote for a pod's proxy.
func credentialOf(t *testing.T, pod *cluster.Pod) tls.Certificate {
	t.Helper()
	state := os.Getenv("MESH_CLUSTER_DIR")
	if state == "" {
		state = "/var/lib/mesh-cluster"
	}
	bundle, err := os.ReadFile(filepath.Join(state, "kubelet/pods", pod.UID, "volumes/kubernetes.io~projected/mesh-identity/credentialbundle.pem"))
	if err != nil {
		t.Fatal(err)
	}
	credential, err := tls.X509KeyPair(bundle, bundle)
	if err != nil {
		t.Fatal(err)
	}
	return credential
}
