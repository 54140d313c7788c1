// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package signer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"regexp"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/leaf"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// world is what one decision sees; each test bends one thing in it.
type world struct {
	request   *certificatesv1.PodCertificateRequest
	pod       *corev1.Pod
	account   *corev1.ServiceAccount
	namespace *corev1.Namespace
}

func (w *world) decide() Verdict {
	return Decide(w.request, Live{Pod: w.pod, Account: w.account, Namespace: w.namespace}, "mesh-system")
}

// started makes the request a refresh.
func (w *world) started() {
	w.pod.Status.Phase = corev1.PodRunning
	w.pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "app", ContainerID: "containerd://1"}}
}

func TestDecideIssuesForTheLivePod(t *testing.T) {
	w, key := sound(t)
	v := w.decide()
	if v.Outcome != Issue {
		t.Fatalf("got %s (%s: %s), want Issue", v.Outcome, v.Reason, v.Message)
	}
	want := leaf.Name{Namespace: "bookbuyer", ServiceAccount: "buyer", Pod: "bookbuyer-1", UID: "pod-uid"}
	if v.Name != want {
		t.Errorf("name %+v, want %+v", v.Name, want)
	}
	if !v.Key.Equal(key.Public()) {
		t.Error("certifies another key than the request's")
	}
}

func TestDecide(t *testing.T) {
	p384 := ecdsaKey(t, elliptic.P384())
	rsaKey, err := rsa.GenerateKey(rand.Reader, 3072)
	if err != nil {
		t.Fatal(err)
	}

	for name, tc := range map[string]struct {
		bend    func(*world)
		outcome Outcome
		reason  string
	}{
		"the pod is gone":                       {func(w *world) { w.pod = nil }, Deny, PodGone},
		"the pod was made again":                {func(w *world) { w.pod.UID = "younger" }, Deny, PodReplaced},
		"the request has a forged UID":          {func(w *world) { w.request.Spec.PodUID = "forged" }, Deny, PodReplaced},
		"the pod has ended":                     {func(w *world) { w.pod.Status.Phase = corev1.PodSucceeded }, Deny, PodFinished},
		"the pod has failed":                    {func(w *world) { w.pod.Status.Phase = corev1.PodFailed }, Deny, PodFinished},
		"the pod is on another node":            {func(w *world) { w.pod.Spec.NodeName = "node-2" }, Deny, NodeMismatch},
		"the pod is on no node":                 {func(w *world) { w.pod.Spec.NodeName = "" }, Wait, ""},
		"the pod runs as another account":       {func(w *world) { w.pod.Spec.ServiceAccountName = "thief" }, Deny, AccountMismatch},
		"the request has another account":       {func(w *world) { w.request.Spec.ServiceAccountName = "store" }, Deny, AccountMismatch},
		"the account was made again":            {func(w *world) { w.account.UID = "younger" }, Deny, AccountReplaced},
		"the account is gone":                   {func(w *world) { w.account = nil }, Wait, ""},
		"the request is for another signer":     {func(w *world) { w.request.Spec.SignerName = "example.com/other" }, Wait, ""},
		"the pod has no proxy":                  {func(w *world) { w.pod.Spec.InitContainers = nil }, Deny, NotInjected},
		"the proxy is no sidecar":               {func(w *world) { w.pod.Spec.InitContainers[0].RestartPolicy = nil }, Deny, NotInjected},
		"the pod is on the node's network":      {func(w *world) { w.pod.Spec.HostNetwork = true }, Deny, NotInjected},
		"the proxy mounts nothing":              {func(w *world) { w.pod.Spec.InitContainers[0].VolumeMounts = nil }, Deny, NotInjected},
		"the application mounts it":             {applicationMounts, Deny, NotInjected},
		"the volume is for another signer":      {func(w *world) { podCertificate(w).SignerName = "example.com/other" }, Deny, NotInjected},
		"the key is RSA":                        {func(w *world) { w.request.Spec.StubPKCS10Request = stub(t, rsaKey, x509.CertificateRequest{}) }, Deny, "UnsupportedKeyType"},
		"the key is of P-384":                   {func(w *world) { w.request.Spec.StubPKCS10Request = stub(t, p384, x509.CertificateRequest{}) }, Deny, "UnsupportedKeyType"},
		"the stub names a subject":              {bendStub(t, x509.CertificateRequest{Subject: pkix.Name{CommonName: "x"}}), Deny, RequestNotEmpty},
		"the stub asks for a SAN":               {bendStub(t, x509.CertificateRequest{DNSNames: []string{"mesh-apiserver.mesh-system.svc"}}), Deny, RequestNotEmpty},
		"the stub is no PKCS#10":                {func(w *world) { w.request.Spec.StubPKCS10Request = []byte("x") }, Deny, RequestMalformed},
		"the pod's author sends annotations":    {func(w *world) { w.request.Spec.UnverifiedUserAnnotations = map[string]string{"example.com/a": "b"} }, Deny, "InvalidUnverifiedUserAnnotations"},
		"the namespace is not in the mesh":      {func(w *world) { w.namespace.Labels = nil }, Deny, NotInMesh},
		"the pod stays out by its own label":    {func(w *world) { w.pod.Labels = inject(metadata.InjectDisabled) }, Deny, NotInMesh},
		"the pod comes in by its own label":     {podAlone, Issue, ""},
		"the control plane's own namespace":     {func(w *world) { w.namespace.Name = "mesh-system" }, Deny, NotInMesh},
		"a namespace of the cluster":            {func(w *world) { w.namespace.Name = "kube-system" }, Deny, NotInMesh},
		"the namespace is not seen":             {func(w *world) { w.namespace = nil }, Wait, ""},
		"a refresh while the pod ends":          {func(w *world) { w.started(); w.pod.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} }, Issue, ""},
		"a refresh after the pod left by label": {func(w *world) { w.started(); w.pod.Labels = inject(metadata.InjectDisabled) }, Issue, ""},
		"a refresh after its namespace left":    {func(w *world) { w.started(); w.namespace.Labels = nil }, Issue, ""},
		"a refresh of another account":          {func(w *world) { w.started(); w.account.UID = "younger" }, Deny, AccountReplaced},
		"a refresh after its node came anew":    {func(w *world) { w.started(); w.request.Spec.NodeUID = "younger" }, Issue, ""},
		"a refresh of another pod UID":          {func(w *world) { w.started(); w.pod.UID = "younger" }, Deny, PodReplaced},
		"a refresh as another account":          {func(w *world) { w.started(); w.request.Spec.ServiceAccountName = "thief" }, Deny, AccountMismatch},
		"a refresh of an ended pod":             {func(w *world) { w.started(); w.pod.Status.Phase = corev1.PodFailed }, Wait, ""},
		"a refresh from another node":           {func(w *world) { w.started(); w.request.Spec.NodeName = "node-2" }, Wait, ""},
		"a refresh without a proxy":             {func(w *world) { w.started(); w.pod.Spec.InitContainers = nil }, Wait, ""},
		"a refresh with a key of P-384": {func(w *world) {
			w.started()
			w.request.Spec.StubPKCS10Request = stub(t, p384, x509.CertificateRequest{})
		}, Wait, ""},
		"a refresh that asks for a name": {func(w *world) { w.started(); bendStub(t, x509.CertificateRequest{DNSNames: []string{"a"}})(w) }, Wait, ""},
		"a refresh that is no PKCS#10":   {func(w *world) { w.started(); w.request.Spec.StubPKCS10Request = []byte("x") }, Wait, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := sound(t)
			tc.bend(w)
			v := w.decide()
			if v.Outcome != tc.outcome || v.Reason != tc.reason {
				t.Errorf("got %s %q (%s), want %s %q", v.Outcome, v.Reason, v.Message, tc.outcome, tc.reason)
			}
			if v.Outcome != Issue && v.Message == "" {
				t.Error("says nothing")
			}
		})
	}
}

// The kubelet uses the reason as a format string.
func TestReasonsAreCamelCase(t *testing.T) {
	form := regexp.MustCompile(`^[A-Z][A-Za-z0-9]+$`)
	for _, reason := range []string{
		UnsupportedKeyType, UnsupportedAnnotations, RequestMalformed, RequestNotEmpty, PodGone, PodReplaced, PodFinished,
		NodeMismatch, AccountMismatch, AccountReplaced, NotInjected, NotInMesh,
	} {
		if !form.MatchString(reason) {
			t.Errorf("%q is not CamelCase", reason)
		}
	}
}

// sound is a new pod of the mesh and the request that its kubelet makes.
func sound(t testing.TB) (*world, *ecdsa.PrivateKey) {
	t.Helper()
	key := ecdsaKey(t, elliptic.P256())
	always := corev1.ContainerRestartPolicyAlways
	return &world{
		request: &certificatesv1.PodCertificateRequest{
			ObjectMeta: metav1.ObjectMeta{Namespace: "bookbuyer", Name: "req-1"},
			Spec: certificatesv1.PodCertificateRequestSpec{
				SignerName:         sidecar.Signer,
				PodName:            "bookbuyer-1",
				PodUID:             "pod-uid",
				ServiceAccountName: "buyer",
				ServiceAccountUID:  "account-uid",
				NodeName:           "node-1",
				NodeUID:            "node-uid",
				StubPKCS10Request:  stub(t, key, x509.CertificateRequest{}),
			},
		},
		pod: &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "bookbuyer", Name: "bookbuyer-1", UID: "pod-uid"},
			Spec: corev1.PodSpec{
				NodeName:           "node-1",
				ServiceAccountName: "buyer",
				InitContainers: []corev1.Container{{
					Name:          sidecar.ProxyContainer,
					RestartPolicy: &always,
					VolumeMounts:  []corev1.VolumeMount{{Name: sidecar.VolumeIdentity}},
				}},
				Containers: []corev1.Container{{Name: "app"}},
				Volumes: []corev1.Volume{{
					Name: sidecar.VolumeIdentity,
					VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
						Sources: []corev1.VolumeProjection{{PodCertificate: &corev1.PodCertificateProjection{SignerName: sidecar.Signer}}},
					}},
				}},
			},
			Status: corev1.PodStatus{Phase: corev1.PodPending},
		},
		account:   &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "bookbuyer", Name: "buyer", UID: "account-uid"}},
		namespace: &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "bookbuyer", Labels: inject(metadata.InjectEnabled)}},
	}, key
}

func inject(value string) map[string]string { return map[string]string{metadata.InjectLabel: value} }

func podAlone(w *world) {
	w.namespace.Labels = nil
	w.pod.Labels = inject(metadata.InjectEnabled)
}

func podCertificate(w *world) *corev1.PodCertificateProjection {
	return w.pod.Spec.Volumes[0].Projected.Sources[0].PodCertificate
}

func applicationMounts(w *world) {
	w.pod.Spec.Containers[0].VolumeMounts = w.pod.Spec.InitContainers[0].VolumeMounts
	w.pod.Spec.InitContainers[0].VolumeMounts = nil
}

func bendStub(t *testing.T, template x509.CertificateRequest) func(*world) {
	return func(w *world) {
		w.request.Spec.StubPKCS10Request = stub(t, ecdsaKey(t, elliptic.P256()), template)
	}
}

func stub(t testing.TB, key crypto.Signer, template x509.CertificateRequest) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &template, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func ecdsaKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
