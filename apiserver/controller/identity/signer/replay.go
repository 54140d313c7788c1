// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package signer

import (
	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"
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

// replayed names a request whose stub another one carries again, or is "". The
// kubelet makes a key for each request and signs the stub with it, so a stub is good
// for one request, as long as that is kept (kube-controller-manager: 15 minutes).
func replayed(requests cache.Indexer, request *certificatesv1.PodCertificateRequest) string {
	objects, err := requests.ByIndex(byStub, string(request.Spec.StubPKCS10Request))
	if err != nil {
		return "" // there is such an index
	}
	for _, object := range objects {
		if other, ok := object.(*certificatesv1.PodCertificateRequest); ok && other.UID != request.UID && precedes(other, request) {
			return other.Namespace + "/" + other.Name
		}
	}
	return ""
}

// precedes tells whether a request came before one that is unanswered: an answered
// one did, and, of those made in the same second, the one that was written first.
func precedes(other, request *certificatesv1.PodCertificateRequest) bool {
	if len(other.Status.Conditions) > 0 {
		return true
	}
	if age := other.CreationTimestamp.Compare(request.CreationTimestamp.Time); age != 0 {
		return age < 0
	}
	order, err := resourceversion.CompareResourceVersion(other.ResourceVersion, request.ResourceVersion)
	return err == nil && order < 0
}
