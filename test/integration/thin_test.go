// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/leaf"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/root"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/xds/xdstest"
	"github.com/openservicemesh/mesh-apiserver/test/integration/harness"
	"github.com/openservicemesh/mesh-apiserver/test/pki"
)

// crowd makes proxies that know beforehand what to ask for, ACK all that comes and
// look at nothing. Their certificates are signed here, since a kubelet's request
// for each is not what is looked at.
type crowd struct {
	roots  *x509.CertPool
	issuer leaf.CA
	key    *ecdsa.PrivateKey
	// names are what each asks for by type, beside all clusters and listeners.
	names map[string][]string
}

// newCrowd has every proxy ask for what this one has asked for.
func newCrowd(t *testing.T, like *proxy) *crowd {
	t.Helper()
	kept, err := root.Get(t.Context(), host, harness.SystemNamespace)
	if err != nil {
		t.Fatal(err)
	}
	key, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	c := &crowd{issuer: kept.Signing.CA(), key: key, names: map[string][]string{clusterType: {xdstest.Wildcard}, listenerType: {xdstest.Wildcard}}}
	c.roots, _ = meshRoots(t)
	maps.Copy(c.names, like.Asked())
	return c
}

// join runs a pod's proxy until ctx ends.
func (c *crowd) join(ctx context.Context, pod *corev1.Pod) error {
	certificate, err := c.certificate(pod)
	if err != nil {
		return err
	}
	client, err := dial(ctx, certificate, c.roots, idOf(pod))
	if err != nil {
		return err
	}
	defer client.Close()
	for kind, names := range c.names {
		if err := client.Subscribe(kind, names...); err != nil {
			return err
		}
	}
	return client.ACKAll()
}

func (c *crowd) certificate(pod *corev1.Pod) (tls.Certificate, error) {
	name := leaf.Name{Namespace: pod.Namespace, ServiceAccount: pod.Spec.ServiceAccountName, Pod: pod.Name, UID: string(pod.UID)}
	template, err := leaf.Template(name, "cluster.local", leaf.Validity{NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour)})
	if err != nil {
		return tls.Certificate{}, err
	}
	der, err := leaf.Sign(template, c.key.Public(), c.issuer)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("sign for %s: %w", pod.Name, err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: c.key}, nil
}
