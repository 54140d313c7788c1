// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"slices"
	"strings"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// inboundValidation is the SDS resource that says whom the handshake of a
// port's TCP chain accepts: on a closed port those whom some Allow admits as a
// connection, on an open one the whole trust domain, in either case without
// those whom a Deny refuses from everywhere. It carries the roots as well, since
// a TLS context takes one validation context by SDS.
func inboundValidation(m model.Mesh, w model.Workload, p model.InboundPort, roots []byte) (Resource, error) {
	name := inboundName(w, p)
	return Encode(name, w.View, validationSecret(name, roots, orNobody(handshakeNames(m, p.Access))))
}

// handshakeNames is at least what RBAC admits behind it: it does not look at IP
// blocks, and a prefix stays whole where a Deny refuses some of its names. A name
// outside the trust domain is left out.
func handshakeNames(m model.Mesh, a model.Access) []*tlsv3.SubjectAltNameMatcher {
	var exact, prefixes []string
	access := tcpAccessOf(a)
	denied := everywhere(access.deny)
	for _, c := range admittedCallers(access) {
		c, ok := c.within(trustDomainPrefix(m))
		switch {
		case !ok || denied.covers(c):
		case c.prefix:
			prefixes = append(prefixes, c.id)
		default:
			exact = append(exact, c.id)
		}
	}
	var names []*tlsv3.SubjectAltNameMatcher
	for _, id := range sortedSet(exact) {
		names = append(names, san(exactly(id)))
	}
	for _, id := range sortedSet(prefixes) {
		names = append(names, san(startsWith(id)))
	}
	return names
}

// nameSet holds names, and prefixes of names, which are empty or end in a slash.
type nameSet map[caller]struct{}

// everywhere are the callers whose address is not looked at.
func everywhere(callers []caller) nameSet {
	set := nameSet{}
	for _, c := range callers {
		if c.block == "" {
			set[c] = struct{}{}
		}
	}
	return set
}

// covers looks for a caller and for each prefix of it: there may be 100,000 of both.
func (s nameSet) covers(c caller) bool {
	_, found := s[c]
	for end := 0; end <= len(c.id) && !found; end++ {
		if end == 0 || c.id[end-1] == '/' {
			_, found = s[caller{id: c.id[:end], prefix: true}]
		}
	}
	return found
}

func admittedCallers(t tcpAccess) []caller {
	if !t.closed {
		return []caller{{prefix: true}}
	}
	return t.allow
}

// within is the part of a caller that is in the trust domain, wherever it calls
// from; false if there is none.
func (c caller) within(domain string) (caller, bool) {
	if c.prefix && strings.HasPrefix(domain, c.id) {
		return caller{id: domain, prefix: true}, true
	}
	return caller{id: c.id, prefix: c.prefix}, strings.HasPrefix(c.id, domain)
}

func sanOfTrustDomain(m model.Mesh) *tlsv3.SubjectAltNameMatcher {
	return san(startsWith(trustDomainPrefix(m)))
}

func sortedSet(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}
