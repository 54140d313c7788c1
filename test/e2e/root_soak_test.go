// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build soak

package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/e2e/cluster"
)

// renewTime bounds a renewal up to the first leaf of the next root. On the local
// cluster that is published for two minutes.
const renewTime = 5 * time.Minute

// What was open before the root was renewed lives on, and pods with leaves of the
// old root and of the new one call each other and the control plane.
func TestSoakConnectionsLiveThroughRootRenewal(t *testing.T) {
	live.Settle(t)
	endLastRenewal(t)
	shop := live.Shop(t)
	live.Policy(t, shop.Namespace, "callers", `
action: Allow
rules: [{from: [{serviceAccounts: [{namespace: `+buyer.Namespace+`, name: `+buyer.Account+`}, {name: visitor}]}], to: [{all: {}}]}]
`)
	held := endure(t, shop)
	old := rootOf(t)
	annotateRoot(t, "mesh.openservicemesh.io/renew", "now")
	await.State(t, soon, func() (string, bool) {
		return "the next root is not in the Secret", len(rootSecret(t).Data["next.crt"]) > 0
	})
	await.State(t, renewTime, func() (string, bool) {
		metrics, err := live.ServerMetrics(t.Context())
		if err != nil {
			return err.Error(), false
		}
		return fmt.Sprintf("%v proxies lack the next root, which does not sign", metrics.Sum("mesh_identity_root_renewal_waiting_proxies")),
			!rootOf(t).Equal(old)
	})
	held.check(t, "the next root signs")

	away(t, live.DeleteServer)
	wantNothingResent(t)
	if signer := presented(t, shop.Pod); signer.CheckSignatureFrom(old) != nil {
		t.Error("the leaf of a running pod was not of the old root: the test shows nothing")
	}
	young, err := shop.Another(t.Context(), "young")
	if err != nil {
		t.Fatal(err)
	}
	if err := presented(t, young).CheckSignatureFrom(rootOf(t)); err != nil {
		t.Errorf("the leaf of a new pod: %v", err)
	}
	visitor, err := live.Start(t.Context(), cluster.Manifest(shop.Namespace, "visitor", cluster.Container("app", "reflect")))
	if err != nil {
		t.Fatal(err)
	}
	for _, caller := range []*cluster.Pod{buyer, visitor} {
		for _, callee := range []*cluster.Pod{shop.Pod, young} {
			wantGet(t, caller, "200", "http://"+callee.IP+":8080/books")
		}
	}
	time.Sleep(drainTime)
	held.check(t, "root renewal")
}

// endLastRenewal ends the trust in the root before, if there is one: every pod that
// runs now was started after it had ceased to sign.
func endLastRenewal(t *testing.T) {
	t.Helper()
	if len(rootSecret(t).Data["previous.crt"]) == 0 {
		return
	}
	annotateRoot(t, "mesh.openservicemesh.io/previous-root-until", time.Now().UTC().Format(time.RFC3339))
	await.State(t, soon, func() (string, bool) {
		return "the root before is still there", len(rootSecret(t).Data["previous.crt"]) == 0
	})
}

func rootSecret(t *testing.T) *corev1.Secret {
	t.Helper()
	secret, err := live.Core.CoreV1().Secrets(cluster.SystemNamespace).Get(t.Context(), "mesh-root", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// rootOf is the root that signs.
func rootOf(t *testing.T) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(rootSecret(t).Data[corev1.TLSCertKey])
	if block == nil {
		t.Fatal("the Secret holds no root")
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func annotateRoot(t *testing.T, name, value string) {
	t.Helper()
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, name, value)
	_, err := live.Core.CoreV1().Secrets(cluster.SystemNamespace).Patch(t.Context(), "mesh-root", types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// presented is the leaf that a pod's proxy shows.
func presented(t *testing.T, pod *cluster.Pod) *x509.Certificate {
	t.Helper()
	conn, err := tls.Dial("tcp", pod.IP+":9000", &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{"mesh-tcp"}, InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0]
}
