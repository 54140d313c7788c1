// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package signer

import (
	"cmp"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/client-go/tools/cache"
)

// byStub is the index of requests by their stub PKCS#10 request.
const byStub = "stub"

func stubOf(object any) ([]string, error) {
	request, ok := object.(*certificatesv1.PodCertificateRequest)
	if !ok {
		return nil, nil
	}
	return []string{string(request.Spec.StubPKCS10Request)}, nil
}

// replayed names the request whose stub another one carries again, or is "". The
// kubelet makes a key for each request and signs the stub with it, so a stub is good
// for one request, as long as that is kept (kube-controller-manager: 15 minutes).
// The first is the oldest of several, whatever has become of it.
func replayed(requests cache.Indexer, request *certificatesv1.PodCertificateRequest) string {
	objects, err := requests.ByIndex(byStub, string(request.Spec.StubPKCS10Request))
	if err != nil {
		return "" // there is such an index
	}
	first := request
	for _, object := range objects {
		if other, ok := object.(*certificatesv1.PodCertificateRequest); ok && compareAge(other, first) < 0 {
			first = other
		}
	}
	if first.UID == request.UID {
		return ""
	}
	return first.Namespace + "/" + first.Name
}

func compareAge(a, b *certificatesv1.PodCertificateRequest) int {
	return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.UID, b.UID))
}
