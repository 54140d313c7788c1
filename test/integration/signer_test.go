// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/integration/harness"
)

func TestPodGetsACertificateThatNamesIt(t *testing.T) {
	namespace := newMeshNamespace(t)
	newAccount(t, namespace, "bookbuyer")
	pod := newPod(t, namespace, "buyer", "bookbuyer")
	certificate := identify(t, pod)
	leaf, err := x509.ParseCertificate(certificate.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	roots, _ := meshRoots(t)
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth} {
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{usage}}); err != nil {
			t.Errorf("usage %v: %v", usage, err)
		}
	}
	want := "spiffe://cluster.local/ns/" + namespace + "/sa/bookbuyer"
	if len(leaf.URIs) != 1 || leaf.URIs[0].String() != want || len(leaf.DNSNames)+len(leaf.IPAddresses)+len(leaf.EmailAddresses) != 0 {
		t.Errorf("got names %v %v %v, want %s alone", leaf.URIs, leaf.DNSNames, leaf.IPAddresses, want)
	}
	if life := leaf.NotAfter.Sub(leaf.NotBefore); life > time.Hour+time.Second {
		t.Errorf("got a life of %s, want the hour that was asked for at most", life)
	}
}

func TestPublishedRootIsTheSecrets(t *testing.T) {
	secret, err := host.CoreV1().Secrets(harness.SystemNamespace).Get(t.Context(), harness.RootSecret, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, published := meshRoots(t); published != string(secret.Data[corev1.TLSCertKey]) {
		t.Errorf("got %s, want the certificate of Secret %s", published, harness.RootSecret)
	}
}

// A role that may create requests is harmless: the admission policy takes those
// for our signer from the pod's own kubelet alone.
func TestTenantsRequestIsRefusedAtAdmission(t *testing.T) {
	namespace := newMeshNamespace(t)
	newAccount(t, namespace, "bookbuyer")
	pod := newPod(t, namespace, "buyer", "bookbuyer")
	for who, client := range map[string]kubernetes.Interface{
		"an administrator":             host,
		"a node's name without groups": clientOf(t, "system:node:"+nodeName, "system:masters"),
	} {
		r := newRequest(t, pod, &x509.CertificateRequest{})
		err := r.send(t.Context(), client)
		if err == nil || !strings.Contains(err.Error(), "mesh-podcertificate") {
			t.Errorf("request by %s: got %v, want a refusal by the policy", who, err)
		}
	}
}

func TestWithoutItsAdmissionPolicyTheSignerSignsNothing(t *testing.T) {
	namespace := newMeshNamespace(t)
	newAccount(t, namespace, "bookbuyer")
	pod := newPod(t, namespace, "buyer", "bookbuyer")
	manifest := kube.Manifest("podcertificate-admission.yaml")
	kubectl(t, "", "delete", "validatingadmissionpolicybinding", "mesh-podcertificate")
	t.Cleanup(func() {
		if _, err := kube.Kubectl(context.Background(), "", "apply", "-f", manifest); err != nil {
			t.Error(err)
		}
	})
	await.Eventually(t, soon, "a metric saying so", shows("mesh_identity_admission_bound 0"))
	r := newRequest(t, pod, &x509.CertificateRequest{})
	await.Eventually(t, soon, "the request being taken", func(ctx context.Context) error { return r.send(ctx, host) })
	unanswered(t, &r)
	serves(t)

	kubectl(t, "", "apply", "-f", manifest)
	await.Eventually(t, soon, "a metric saying that it is back", shows("mesh_identity_admission_bound 1"))
}

func TestLostRootStopsIssuingUntilItIsRestored(t *testing.T) {
	namespace := newMeshNamespace(t)
	newAccount(t, namespace, "bookbuyer")
	pod := newPod(t, namespace, "buyer", "bookbuyer")
	identify(t, pod)
	_, before := meshRoots(t)
	restore := loseRoot(t)
	await.Eventually(t, soon, "a metric saying so", shows("mesh_identity_root_available 0"))
	await.Eventually(t, soon, "an Event saying why", func(ctx context.Context) error {
		events, err := host.EventsV1().Events(harness.SystemNamespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, event := range events.Items {
			if event.Reason == "IssuingStopped" && strings.Contains(event.Note, "Secret mesh-root is gone") {
				return nil
			}
		}
		return fmt.Errorf("none of %d", len(events.Items))
	})
	r := newRequest(t, pod, &x509.CertificateRequest{})
	node := kubelet(t, nodeName)
	await.Eventually(t, soon, "the request being taken", func(ctx context.Context) error { return r.send(ctx, node) })
	unanswered(t, &r)
	serves(t)

	if err := restore(t.Context()); err != nil {
		t.Fatal(err)
	}
	await.Eventually(t, soon, "a metric saying that it is back", shows("mesh_identity_root_available 1"))
	await.Eventually(t, soon, "an answer to what waited", r.answer)
	if _, after := meshRoots(t); after != before {
		t.Error("the published root is another")
	}
}

func TestServerThatStartsWithoutItsRootServesAllButCertificates(t *testing.T) {
	namespace := newMeshNamespace(t)
	newAccount(t, namespace, "bookbuyer")
	_, before := meshRoots(t)
	if err := server.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	restore := loseRoot(t)
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	await.Eventually(t, soon, "a metric saying so", shows("mesh_identity_root_available 0"))
	serves(t)
	_, err := host.CoreV1().Pods(namespace).Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "early"},
		Spec:       corev1.PodSpec{ServiceAccountName: "bookbuyer", Containers: []corev1.Container{{Name: "app", Image: "app"}}},
	}, metav1.CreateOptions{})
	if err == nil || !strings.Contains(err.Error(), "Secret mesh-root is gone") {
		t.Errorf("pod of the mesh: got %v, want a refusal that says why", err)
	}

	if err := restore(t.Context()); err != nil {
		t.Fatal(err)
	}
	await.Eventually(t, soon, "a metric saying that it is back", shows("mesh_identity_root_available 1"))
	identify(t, newPod(t, namespace, "buyer", "bookbuyer"))
	if _, after := meshRoots(t); after != before {
		t.Error("the published root is another")
	}
}

// loseRoot deletes the root's Secret; what it gives brings it back, as the test's
// end does.
func loseRoot(t *testing.T) (restore func(context.Context) error) {
	t.Helper()
	secrets := host.CoreV1().Secrets(harness.SystemNamespace)
	root, err := secrets.Get(t.Context(), harness.RootSecret, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := secrets.Delete(t.Context(), root.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	restore = func(ctx context.Context) error {
		kept := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: root.Name}, Type: root.Type, Data: root.Data}
		_, err := secrets.Create(ctx, kept, metav1.CreateOptions{})
		return err
	}
	t.Cleanup(func() { _ = restore(context.Background()) })
	return restore
}

// A node that comes up with all its pods asks for all at once.
func TestAllOf110RequestsAtOnceAreAnswered(t *testing.T) {
	namespace := newMeshNamespace(t)
	newAccount(t, namespace, "bookbuyer")
	requests := make([]request, 110)
	for i := range requests {
		requests[i] = newRequest(t, newPod(t, namespace, fmt.Sprintf("buyer-%d", i), "bookbuyer"), &x509.CertificateRequest{})
	}
	node := kubelet(t, nodeName)
	// kube-apiserver looks pods up in a cache: the last of them is to be there.
	last := &requests[len(requests)-1]
	await.Eventually(t, soon, "a request being taken", func(ctx context.Context) error { return last.send(ctx, node) })
	begin := time.Now()
	var sending sync.WaitGroup
	for i := range requests[:len(requests)-1] {
		sending.Go(func() {
			if err := requests[i].send(t.Context(), node); err != nil {
				t.Error(err)
			}
		})
	}
	sending.Wait()
	sent := time.Since(begin)
	for i := range requests {
		r := &requests[i]
		if r.Name == "" {
			continue
		}
		await.Eventually(t, soon, "an answer", r.answer)
		if r.Status.CertificateChain == "" {
			t.Errorf("%s: got conditions %+v, want Issued", r.Spec.PodName, r.Status.Conditions)
		}
	}
	t.Logf("%d requests were sent within %s and answered within %s", len(requests), sent, time.Since(begin))
}

// unanswered gives the signer the time in which it answers others.
func unanswered(t *testing.T, r *request) {
	t.Helper()
	witness := time.Now().Add(time.Second)
	for time.Now().Before(witness) {
		if err := r.answer(t.Context()); err == nil {
			t.Fatalf("the request was answered: %+v", r.Status)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// shows tells whether the server's metrics have a line.
func shows(line string) func(context.Context) error {
	return func(ctx context.Context) error {
		out, err := harness.Get(ctx, "http://"+server.Address+":9090/metrics")
		if err != nil {
			return err
		}
		if !strings.Contains(out, "\n"+line+"\n") {
			return fmt.Errorf("metrics do not show %q", line)
		}
		return nil
	}
}

// serves demands that what stopped issuing has stopped nothing else.
func serves(t *testing.T) {
	t.Helper()
	ask(t, "/readyz")
	newPolicy(t, newNamespace(t))
}

// Two servers that start together in a cluster without a root end with one, and
// both sign by it.
func TestServersThatStartTogetherMakeOneRoot(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := server.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		forgetDatabase(t) // that of the racer which made the root
		if err := server.Start(context.Background()); err != nil {
			t.Error(err)
		}
	})
	kubectl(t, "", "delete", "secret", "-n", harness.SystemNamespace, harness.RootSecret)
	kubectl(t, "", "delete", "clustertrustbundle", sidecar.TrustBundle)
	racers := []*harness.Mesh{
		server.Sibling("racer-one", harness.SecondAddress),
		server.Sibling("racer-two", harness.ThirdAddress),
	}
	for _, racer := range racers {
		if err := racer.Launch(); err != nil {
			t.Fatal(err)
		}
		endWithTest(t, racer)
	}
	for _, racer := range racers {
		if err := racer.AwaitReady(ctx); err != nil {
			t.Fatal(err)
		}
	}
	roots, published := meshRoots(t)
	if n := strings.Count(published, "BEGIN CERTIFICATE"); n != 1 {
		t.Errorf("got %d roots, want 1", n)
	}
	for _, racer := range racers {
		leaf, err := x509.ParseCertificate(served(t, racer.Address+":15012"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: harness.ServerName}); err != nil {
			t.Errorf("control plane at %s: %v", racer.Address, err)
		}
	}
	secret, err := host.CoreV1().Secrets(harness.SystemNamespace).Get(ctx, harness.RootSecret, metav1.GetOptions{})
	if err != nil || !bytes.Equal(secret.Data[corev1.TLSCertKey], []byte(published)) {
		t.Errorf("the Secret's root is not the published one (%v)", err)
	}
}
