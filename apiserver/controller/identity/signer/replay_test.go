// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package signer

import (
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
)

func TestAStubIsForItsFirstRequestAlone(t *testing.T) {
	request := func(name string, second int64, stub string) *certificatesv1.PodCertificateRequest {
		return &certificatesv1.PodCertificateRequest{
			ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: name, UID: types.UID(name), CreationTimestamp: metav1.Unix(second, 0)},
			Spec:       certificatesv1.PodCertificateRequestSpec{StubPKCS10Request: []byte(stub)},
		}
	}
	requests := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{byStub: stubOf})
	for _, known := range []*certificatesv1.PodCertificateRequest{
		request("first", 10, "x"), request("again", 20, "x"), request("twin-1", 30, "y"), request("twin-2", 30, "y"), request("other", 5, "z"),
	} {
		if err := requests.Add(known); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name, stub string
		second     int64
		want       string
	}{
		{"first", "x", 10, ""},
		{"again", "x", 20, "a/first"},
		{"unseen", "x", time.Now().Unix(), "a/first"}, // not in the index yet
		{"twin-1", "y", 30, ""},
		{"twin-2", "y", 30, "a/twin-1"},
		{"other", "z", 5, ""},
		{"alone", "w", 40, ""},
	} {
		if got := replayed(requests, request(tc.name, tc.second, tc.stub)); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}
