// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xdstest

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	_ "github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy" // registers what is packed in resources
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/envoytest"
)

// Proxy behaves as the Envoy in a pod does, and keeps what it is told: it ACKs all
// that comes, but for types that it is to refuse, and once it follows it asks for
// what the resources name that it is sent.
type Proxy struct {
	*Client

	mu sync.Mutex
	// resources are by type and name.
	resources map[string]map[string]*discovery.Resource
	// missing are names that were answered by their absence.
	missing map[string]bool
	// received counts resources by type, the same one again included.
	received map[string]int
	// refusals are what to say against resources of a type.
	refusals map[string]string
	// asked are the names that it has asked for, nil while it does not follow.
	asked map[envoytest.Reference]bool
	// receipts are what came, in order: "Cluster NAME", or "Cluster -NAME" for what is gone.
	receipts []string
	ended    error
}

// NewProxy reads from a client until its stream ends.
func NewProxy(c *Client) *Proxy {
	p := &Proxy{
		Client:    c,
		resources: map[string]map[string]*discovery.Resource{}, missing: map[string]bool{},
		received: map[string]int{}, refusals: map[string]string{},
	}
	go p.run()
	return p
}

func (p *Proxy) run() {
	err := p.answer()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = err
}

func (p *Proxy) answer() error {
	for {
		response, err := p.Receive()
		if err != nil {
			return err
		}
		if words := p.take(response); words != "" {
			err = p.NACK(response.GetTypeUrl(), response.GetNonce(), words)
		} else {
			err = p.ACK(response.GetTypeUrl(), response.GetNonce())
		}
		if err != nil {
			continue // the next Receive tells why
		}
		if err := p.followUp(response); err != nil {
			return err
		}
	}
}

// take keeps a response, or gives the words to refuse it with.
func (p *Proxy) take(response *discovery.DeltaDiscoveryResponse) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	kind := response.GetTypeUrl()
	p.received[kind] += len(response.GetResources())
	if words := p.refusals[kind]; words != "" {
		return words
	}
	if p.resources[kind] == nil {
		p.resources[kind] = map[string]*discovery.Resource{}
	}
	for _, resource := range response.GetResources() {
		p.resources[kind][resource.GetName()] = resource
		p.receipts = append(p.receipts, Short(kind)+" "+resource.GetName())
	}
	for _, name := range response.GetRemovedResources() {
		delete(p.resources[kind], name)
		p.missing[name] = true
		p.receipts = append(p.receipts, Short(kind)+" -"+name)
	}
	return ""
}

// Follow asks for all clusters and listeners, and from then on for what these name.
func (p *Proxy) Follow() error {
	p.mu.Lock()
	p.asked = map[envoytest.Reference]bool{}
	p.mu.Unlock()
	if err := p.Subscribe(ClusterType, Wildcard); err != nil {
		return err
	}
	return p.Subscribe(ListenerType, Wildcard)
}

// followUp asks for what the resources of a response name and was not asked for.
func (p *Proxy) followUp(response *discovery.DeltaDiscoveryResponse) error {
	names := map[string][]string{}
	for _, resource := range response.GetResources() {
		references, err := envoytest.References(resource.GetResource())
		if err != nil {
			return fmt.Errorf("read %s: %w", resource.GetName(), err)
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
		_ = p.Subscribe(kind, names...) // the next Receive tells why
	}
	return nil
}

// Refuse has the proxy NACK what comes of a type, until the words are empty.
func (p *Proxy) Refuse(kind, words string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refusals[kind] = words
}

// Complete is nil once there is an answer to all that the proxy has asked for, with
// these listeners among it.
func (p *Proxy) Complete(listeners ...string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended != nil {
		return p.ended
	}
	for _, name := range listeners {
		if p.resources[ListenerType][name] == nil {
			return fmt.Errorf("no listener %s", name)
		}
	}
	for r := range p.asked {
		if p.resources[r.TypeURL][r.Name] == nil && !p.missing[r.Name] {
			return fmt.Errorf("no %s %s", Short(r.TypeURL), r.Name)
		}
	}
	return nil
}

// Resource gives what the proxy has by a name; the error tells what it has instead.
func (p *Proxy) Resource(kind, name string) (*discovery.Resource, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended != nil {
		return nil, fmt.Errorf("the stream has ended: %w", p.ended)
	}
	if resource := p.resources[kind][name]; resource != nil {
		return resource, nil
	}
	return nil, fmt.Errorf("no %s; there are %v", name, slices.Sorted(maps.Keys(p.resources[kind])))
}

// Missing tells whether a name was called missing.
func (p *Proxy) Missing(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.missing[name]
}

// Versions are of all resources of a type.
func (p *Proxy) Versions(kind string) map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := map[string]string{}
	for name, resource := range p.resources[kind] {
		out[name] = resource.GetVersion()
	}
	return out
}

// Received counts the resources of a type that came, the same one again included.
func (p *Proxy) Received(kind string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.received[kind]
}

// Receipts are what came and was not refused, in order: "Cluster NAME", or "Cluster
// -NAME" for what is gone.
func (p *Proxy) Receipts() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.receipts)
}

// Asked are the names that a proxy which follows has asked for, by type, beside all
// clusters and listeners.
func (p *Proxy) Asked() map[string][]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := map[string][]string{}
	for r := range p.asked {
		out[r.TypeURL] = append(out[r.TypeURL], r.Name)
	}
	return out
}

// Ended is how the stream has ended, nil while it has not.
func (p *Proxy) Ended() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}
