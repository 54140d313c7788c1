// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package leaf knows the two forms of end-entity certificate that the mesh's
// root signs: a workload's, which names an account and the pod that holds it,
// and the control plane's own, which names its Service. It is pure: the clock
// and the keys come from the caller.
package leaf

import (
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// Name is what a workload certificate says: who (namespace and account, the
// SPIFFE ID) and where (namespace, pod and UID, the extension).
type Name struct {
	Namespace, ServiceAccount, Pod, UID string
}

// ProxyID is the pod that holds the certificate.
func (n Name) ProxyID() model.ProxyID {
	return model.ProxyID{Namespace: n.Namespace, Pod: n.Pod, UID: n.UID}
}

// SPIFFEID is the account's identity in a trust domain.
func (n Name) SPIFFEID(trustDomain string) string {
	return model.SPIFFEID(trustDomain, n.Namespace, n.ServiceAccount)
}

// validate holds each part to the form that Kubernetes gives it, so that no
// part can hold a separator of the SPIFFE ID or of the extension.
func (n Name) validate() error {
	if msgs := validation.IsDNS1123Label(n.Namespace); len(msgs) > 0 {
		return fmt.Errorf("namespace %q: %s", n.Namespace, msgs[0])
	}
	if msgs := validation.IsDNS1123Subdomain(n.ServiceAccount); len(msgs) > 0 {
		return fmt.Errorf("service account %q: %s", n.ServiceAccount, msgs[0])
	}
	if msgs := validation.IsDNS1123Subdomain(n.Pod); len(msgs) > 0 {
		return fmt.Errorf("pod %q: %s", n.Pod, msgs[0])
	}
	if msgs := validation.IsDNS1123Label(n.UID); len(msgs) > 0 {
		return fmt.Errorf("UID %q: %s", n.UID, msgs[0])
	}
	return nil
}

// parseSPIFFEID reads exactly the form that model.SPIFFEID writes.
func parseSPIFFEID(id, trustDomain string) (namespace, account string, err error) {
	path, ok := strings.CutPrefix(id, "spiffe://"+trustDomain+"/ns/")
	if !ok || trustDomain == "" {
		return "", "", fmt.Errorf("SPIFFE ID %q is not of trust domain %q", id, trustDomain)
	}
	namespace, account, ok = strings.Cut(path, "/sa/")
	if !ok {
		return "", "", fmt.Errorf("SPIFFE ID %q does not end in /ns/NAMESPACE/sa/ACCOUNT", id)
	}
	return namespace, account, nil
}

// parseProxyID reads exactly the form that model.ProxyID writes.
func parseProxyID(id string) (model.ProxyID, error) {
	parts := strings.Split(id, "/")
	if len(parts) != 3 {
		return model.ProxyID{}, errors.New("pod extension is not namespace/pod/uid")
	}
	return model.ProxyID{Namespace: parts[0], Pod: parts[1], UID: parts[2]}, nil
}
