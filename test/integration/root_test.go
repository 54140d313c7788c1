// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/integration/harness"
)

// Annotations of the root's Secret.
const (
	renewAnnotation = "mesh.openservicemesh.io/renew"
	untilAnnotation = "mesh.openservicemesh.io/previous-root-until"
)

// The server is started anew at each step, and a proxy holds the renewal up.
func TestRootIsRenewedByAcknowledgementsAndRestartsDoNotMatter(t *testing.T) {
	s := newShop(t)
	old := signingRoot(t)
	refusing := withRoots(t, s.atBuyer, s.buyer)
	refusing.Refuse(secretType, "not yet")
	annotateRoot(t, renewAnnotation, "now")
	await.Eventually(t, soon, "both roots being published", publishes(2))
	await.Eventually(t, soon, "the proxy being waited for", shows("mesh_identity_root_renewal_waiting_proxies 1"))

	restart(t)
	refusing = awaitConnected(t, s.atBuyer, s.buyer)
	refusing.Refuse(secretType, "not yet")
	refusing.subscribe(secretType, nil, "roots")
	// 6 s is the time of publishing, and as much the server waits for proxies.
	for begin := time.Now(); time.Since(begin) < 14*time.Second; time.Sleep(100 * time.Millisecond) {
		if !signingRoot(t).Equal(old) {
			t.Fatal("the next root signs before the proxy has it")
		}
	}
	if err := shows(`mesh_identity_root_renewal{phase="spreading"} 1`)(t.Context()); err != nil {
		t.Error(err)
	}
	early := identify(t, newPod(t, s.namespace, "early", "bookbuyer"))
	wantSigned(t, early, old)

	refusing.Close()
	withRoots(t, s.atBuyer, s.buyer)
	await.Eventually(t, soon, "the next root signing", func(context.Context) error {
		if signingRoot(t).Equal(old) {
			return errors.New("the old one does")
		}
		return nil
	})
	// An Event that is on its way when the server ends is lost.
	await.Eventually(t, soon, "the Events of the first steps", hasEvents("RootRenewalBegun", "RootRenewalWaits", "RootRenewed"))
	restart(t)
	next := signingRoot(t)
	await.Eventually(t, soon, "a metric saying so", shows(`mesh_identity_root_renewal{phase="retiring"} 1`))
	late := run(t, newPod(t, s.namespace, "late", "bookbuyer"), nextAddress())
	atLate := identify(t, late)
	wantSigned(t, atLate, next)
	wantVerified(t, atLate, s.atBuyer, early)
	if err := parsed(t, served(t, server.Address+":15012")).CheckSignatureFrom(next); err != nil {
		t.Errorf("the control plane's own certificate: %v", err)
	}
	withRoots(t, s.atBuyer, s.buyer)
	young := withRoots(t, atLate, late)

	annotateRoot(t, untilAnnotation, time.Now().Format(time.RFC3339))
	await.Eventually(t, soon, "the old root leaving the bundle", publishes(1))
	await.Eventually(t, soon, "the old root leaving the proxy", func(context.Context) error {
		roots, err := young.Resource(secretType, "roots")
		if err != nil {
			return err
		}
		return wantRoots(string(roots.GetResource().GetValue()), 1)
	})
	await.Eventually(t, soon, "the Event of the last step", hasEvents("RootRetired"))
	restart(t)
	wantVerified(t, atLate)
	if roots, _ := meshRoots(t); verify(t, s.atBuyer, roots) == nil {
		t.Error("a leaf of the old root is verified after its end")
	}
	withRoots(t, atLate, late)
}

// Two servers want the same steps; each is taken once.
func TestServersThatRenewTogetherMakeOneNextRoot(t *testing.T) {
	other := server.Sibling("renewer", harness.SecondAddress, "--root-publish-for=6s")
	if err := other.Launch(); err != nil {
		t.Fatal(err)
	}
	endWithTest(t, other)
	if err := other.AwaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	old := signingRoot(t)
	annotateRoot(t, renewAnnotation, "now")
	await.Eventually(t, soon, "both roots being published", publishes(2))
	next := rootSecret(t).Data["next.crt"]
	await.Eventually(t, soon, "the next root signing", func(context.Context) error {
		switch secret := rootSecret(t); string(secret.Data["tls.crt"]) {
		case string(next):
			return nil
		default:
			return fmt.Errorf("another root does; the Secret holds %d things", len(secret.Data))
		}
	})
	if signingRoot(t).Equal(old) {
		t.Error("the old root signs")
	}
	annotateRoot(t, untilAnnotation, time.Now().Format(time.RFC3339))
	await.Eventually(t, soon, "the old root leaving the bundle", publishes(1))
	if got := rootSecret(t); string(got.Data["tls.crt"]) != string(next) || len(got.Data) != 2 {
		t.Errorf("the Secret holds %d things, want the one root", len(got.Data))
	}
}

// withRoots is a proxy that has all of its configuration's roots, as an Envoy that
// takes clusters, listeners and the secrets that they name.
func withRoots(t *testing.T, certificate tls.Certificate, pod *corev1.Pod) *proxy {
	t.Helper()
	p := awaitConnected(t, certificate, pod)
	p.subscribe(secretType, nil, "roots")
	await.Eventually(t, soon, "the roots", p.has(secretType, "roots"))
	return p
}

func awaitConnected(t *testing.T, certificate tls.Certificate, pod *corev1.Pod) *proxy {
	t.Helper()
	p := connect(t, certificate, idOf(pod))
	p.subscribe(clusterType, nil, "*")
	p.subscribe(listenerType, nil, "*")
	await.Eventually(t, soon, "the configuration", func(context.Context) error {
		if err := p.Ended(); err != nil {
			t.Fatal(err)
		}
		if p.Received(listenerType) == 0 {
			return errors.New("there is no listener")
		}
		return nil
	})
	return p
}

func restart(t *testing.T) {
	t.Helper()
	if err := server.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func rootSecret(t *testing.T) *corev1.Secret {
	t.Helper()
	secret, err := host.CoreV1().Secrets(harness.SystemNamespace).Get(t.Context(), harness.RootSecret, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func signingRoot(t *testing.T) *x509.Certificate {
	t.Helper()
	return parsed(t, decodePEM(t, rootSecret(t).Data[corev1.TLSCertKey]))
}

func annotateRoot(t *testing.T, name, value string) {
	t.Helper()
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, name, value)
	_, err := host.CoreV1().Secrets(harness.SystemNamespace).Patch(t.Context(), harness.RootSecret, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// publishes tells whether the bundle holds so many roots.
func publishes(n int) func(context.Context) error {
	return func(ctx context.Context) error {
		out, err := kube.Kubectl(ctx, "", "get", "clustertrustbundle", "mesh.openservicemesh.io:workload:roots", "-o", "jsonpath={.spec.trustBundle}")
		if err != nil {
			return err
		}
		return wantRoots(out, n)
	}
}

func wantRoots(bundle string, n int) error {
	if got := strings.Count(bundle, "BEGIN CERTIFICATE"); got != n {
		return fmt.Errorf("got %d roots, want %d", got, n)
	}
	return nil
}

func hasEvents(reasons ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		events, err := host.EventsV1().Events(harness.SystemNamespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		seen := map[string]bool{}
		for _, event := range events.Items {
			seen[event.Reason] = true
		}
		for _, reason := range reasons {
			if !seen[reason] {
				return fmt.Errorf("no Event %s", reason)
			}
		}
		return nil
	}
}

func parsed(t *testing.T, der []byte) *x509.Certificate {
	t.Helper()
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func wantSigned(t *testing.T, leaf tls.Certificate, by *x509.Certificate) {
	t.Helper()
	if err := parsed(t, leaf.Certificate[0]).CheckSignatureFrom(by); err != nil {
		t.Errorf("signed by another root than %s: %v", by.Subject, err)
	}
}

func wantVerified(t *testing.T, leaves ...tls.Certificate) {
	t.Helper()
	roots, _ := meshRoots(t)
	for _, leaf := range leaves {
		if err := verify(t, leaf, roots); err != nil {
			t.Error(err)
		}
	}
}

func verify(t *testing.T, leaf tls.Certificate, roots *x509.CertPool) error {
	t.Helper()
	_, err := parsed(t, leaf.Certificate[0]).Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return err
}
