// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
	"testing"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	corev1 "k8s.io/api/core/v1"

	_ "github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy" // registers what is packed in resources
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/envoytest"
	"github.com/openservicemesh/mesh-apiserver/test/await"
)

// follow is a proxy that asks, as Envoy does, for all clusters and listeners and
// for what these name. It has all of its configuration.
func follow(t *testing.T, certificate tls.Certificate, pod *corev1.Pod) *proxy {
	t.Helper()
	p := connect(t, certificate, idOf(pod))
	p.mu.Lock()
	p.asked = map[envoytest.Reference]bool{}
	p.mu.Unlock()
	p.subscribe(clusterType, nil, "*")
	p.subscribe(listenerType, nil, "*")
	await.Eventually(t, soon, "the configuration of "+pod.Name, p.complete)
	return p
}

// followUp asks for what the resources of a response name and was not asked for.
func (p *proxy) followUp(response *discovery.DeltaDiscoveryResponse) {
	names := map[string][]string{}
	for _, resource := range response.GetResources() {
		references, err := envoytest.References(resource.GetResource())
		if err != nil {
			p.t.Errorf("read %s: %v", resource.GetName(), err)
		}
		p.mu.Lock()
		for _, r := range references {
			if p.asked != nil && !p.asked[r] {
				p.asked[r] = true
				names[r.TypeURL] = append(names[r.TypeURL], r.Name)
			}
		}
		p.mu.Unlock()
	}
	for kind, names := range names {
		p.subscribe(kind, nil, names...)
	}
}

// complete tells whether there is an answer to all that the proxy has asked for.
func (p *proxy) complete(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended != nil {
		return p.ended
	}
	for _, name := range []string{"inbound", "outbound"} {
		if p.resources[listenerType][name] == nil {
			return fmt.Errorf("no listener %s", name)
		}
	}
	for r := range p.asked {
		if p.resources[r.TypeURL][r.Name] == nil && !p.missing[r.Name] {
			return fmt.Errorf("no %s %s", short(r.TypeURL), r.Name)
		}
	}
	return nil
}

// told gives what has come since so many receipts, sorted: a change may come in
// several responses.
func (p *proxy) told(since int) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(slices.Values(p.receipts[since:]))
}

// short is the last part of a type's URL, as metrics name it.
func short(typeURL string) string { return typeURL[strings.LastIndexByte(typeURL, '.')+1:] }
