// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"crypto/tls"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/mesh-apiserver/test/await"
)

// follow is a proxy that asks, as Envoy does, for all clusters and listeners and
// for what these name. It has all of its configuration.
func follow(t *testing.T, certificate tls.Certificate, pod *corev1.Pod) *proxy {
	t.Helper()
	p := connect(t, certificate, idOf(pod))
	if err := p.Follow(); err != nil {
		t.Logf("follow: %v", err) // what the server said comes by the stream's end
	}
	await.Eventually(t, soon, "the configuration of "+pod.Name, p.complete)
	return p
}

// complete is Complete as a condition to wait for.
func (p *proxy) complete(context.Context) error { return p.Complete("inbound", "outbound") }

// told gives what has come since so many receipts, sorted: a change may come in
// several responses.
func (p *proxy) told(since int) []string {
	return slices.Sorted(slices.Values(p.Receipts()[since:]))
}
