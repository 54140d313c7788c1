// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"fmt"
	"net/http"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/server/healthz"
)

// Served tells whether the host serves what a meshed pod gets its identity by:
// PodCertificateRequest (KEP-4317) and ClusterTrustBundle (KEP-3257) in
// certificates.k8s.io/v1. A host that does may be asked no more; one that does not
// is asked each time, since it may be upgraded while this server runs.
func (i *Identity) Served() (bool, error) {
	if i.served.Load() {
		return true, nil
	}
	list, err := i.client.Discovery().ServerResourcesForGroupVersion(certificatesv1.SchemeGroupVersion.String())
	if err != nil {
		return false, fmt.Errorf("ask the host for PodCertificateRequest: %w", err)
	}
	served := lists(list.APIResources, "podcertificaterequests") && lists(list.APIResources, "clustertrustbundles")
	i.served.Store(served)
	return served, nil
}

func lists(resources []metav1.APIResource, name string) bool {
	for _, r := range resources {
		if r.Name == name {
			return true
		}
	}
	return false
}

// ifServed makes a check that holds on a host without pod identity: there the
// server serves its API, and refuses injection by a sentence.
func (i *Identity) ifServed(name string, ready func() error) healthz.HealthChecker {
	return healthz.NamedCheck(name, func(*http.Request) error {
		fault := ready()
		if fault == nil {
			return nil
		}
		if served, err := i.Served(); err != nil || served {
			return fault
		}
		return nil
	})
}
