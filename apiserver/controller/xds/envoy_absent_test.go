//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

// admitting is a workload whose ports admit an account and a namespace. Its ports
// are web and tcp of an inbound.
const admitting = `
apiVersion: v1
kind: Pod
metadata: {namespace: test, name: shop, uid: "1", labels: {app: shop}}
spec:
  nodeName: node
  initContainers: [{name: mesh-proxy, restartPolicy: Always}]
  volumes: [{name: mesh-identity, projected: {sources: [{podCertificate: {signerName: mesh.openservicemesh.io/workload, keyType: ECDSAP256}}]}}]
  containers: [{name: app, ports: [{name: web, containerPort: %d}, {name: tcp, containerPort: %d}]}]
---
apiVersion: v1
kind: Service
metadata: {namespace: test, name: shop}
spec:
  clusterIPs: [198.19.0.1]
  selector: {app: shop}
  ports: [{name: http, port: 80, targetPort: web}]
---
apiVersion: mesh.openservicemesh.io/v1alpha1
kind: MeshPolicy
metadata: {namespace: test, name: callers}
spec:
  action: Allow
  rules:
  - {from: [{serviceAccounts: [{name: buyer}]}, {namespaces: [partner]}], to: [{all: {}}]}`

// TestEnvoyRefusesTheOldCertificateOfAnAccountThatIsGone calls with certificates
// that were issued while the account and the namespace were there.
func TestEnvoyRefusesTheOldCertificateOfAnAccountThatIsGone(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	in := newInbound(t, h)
	buyer := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "test", Name: "buyer"}}
	partner := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "partner"}}
	w := worldtest.World(append(worldtest.Decode(t, fmt.Appendf(nil, admitting, in.web, in.tcp)), buyer, partner)...)
	apply := func() { h.Apply(Update{Set: in.resourcesOf(t, compile.Mesh(w.Reader()), workloadOf(t, w))}) }
	apply()

	asHTTP, asTCP := in.as("buyer", sidecar.ALPNHTTP1), in.as("buyer", sidecar.ALPNTCP)
	partnersHTTP := in.with(sidecar.ALPNHTTP1, named("spiffe://cluster.local/ns/partner/sa/any"))
	partnersTCP := in.with(sidecar.ALPNTCP, named("spiffe://cluster.local/ns/partner/sa/any"))
	const ok, forbidden, hello, nothing = "HTTP/1.1 200 OK", "HTTP/1.1 403 Forbidden", "hello", ""
	demand := func(when, buyersHTTP, buyersTCP, partnerHTTP, partnerTCP string) {
		t.Helper()
		waitFor(t, when, func() bool {
			return in.call(t, in.web, asHTTP, admin) == buyersHTTP && in.call(t, in.tcp, asTCP, "") == buyersTCP &&
				in.call(t, in.web, partnersHTTP, admin) == partnerHTTP && in.call(t, in.tcp, partnersTCP, "") == partnerTCP
		})
	}
	demand("both are admitted", ok, hello, ok, hello)
	open, err := in.dial(in.tcp, asTCP)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if line, err := bufio.NewReader(open).ReadString('\n'); err != nil || line != "hello\n" {
		t.Fatalf("was answered %q: %v", line, err)
	}

	worldtest.Delete(w, buyer)
	apply()
	demand("an account that is gone is refused, the namespace is not", forbidden, nothing, ok, hello)
	if err := open.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, open); isTimeout(err) {
		t.Error("its TCP connection lives on")
	}
	worldtest.Delete(w, partner)
	apply()
	demand("a namespace that is gone is refused too", forbidden, nothing, forbidden, nothing)
	worldtest.Set(w, buyer)
	worldtest.Set(w, partner)
	apply()
	demand("both are admitted again when they are there again", ok, hello, ok, hello)
}

// workloadOf is the one workload of a world, in the view of a harness's pod.
func workloadOf(t *testing.T, w *world.World) model.Workload {
	t.Helper()
	workload, _, there := compile.Workload(w.Reader(), w.Views()[0])
	if !there {
		t.Fatal("the world has no workload")
	}
	workload.View, workload.Family = "view", ""
	return workload
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
