// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package signer

import (
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
)

func TestAStubIsForItsFirstRequestAlone(t *testing.T) {
	first := &certificatesv1.PodCertificateRequest{
		ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "first", UID: "1", CreationTimestamp: metav1.Unix(10, 0), ResourceVersion: "99"},
		Spec:       certificatesv1.PodCertificateRequestSpec{StubPKCS10Request: []byte("x")},
	}
	requests := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{byStub: stubOf})
	for name, tc := range map[string]struct {
		answered bool
		other    func(*certificatesv1.PodCertificateRequest)
		want     string
	}{
		"later":                        {false, func(r *certificatesv1.PodCertificateRequest) { r.CreationTimestamp = metav1.Unix(20, 0) }, "a/first"},
		"earlier":                      {false, func(r *certificatesv1.PodCertificateRequest) { r.CreationTimestamp = metav1.Unix(5, 0) }, ""},
		"in the same second, later":    {false, func(r *certificatesv1.PodCertificateRequest) { r.ResourceVersion = "100" }, "a/first"},
		"in the same second, earlier":  {false, func(r *certificatesv1.PodCertificateRequest) { r.ResourceVersion = "98" }, ""},
		"in the same second, answered": {true, func(r *certificatesv1.PodCertificateRequest) { r.ResourceVersion = "98" }, "a/first"},
		"another stub":                 {true, func(r *certificatesv1.PodCertificateRequest) { r.Spec.StubPKCS10Request = []byte("y") }, ""},
		"the same request":             {false, func(r *certificatesv1.PodCertificateRequest) { r.UID = "1" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			known, other := first.DeepCopy(), first.DeepCopy()
			if tc.answered {
				known.Status.Conditions = []metav1.Condition{{Type: "Issued"}}
			}
			other.Name, other.UID = "other", "2"
			tc.other(other)
			if err := requests.Add(known); err != nil {
				t.Fatal(err)
			}
			if got := replayed(requests, other); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
