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
// connection, on an open one the whole trust domain. It carries the roots as
// well, since a TLS context takes one validation context by SDS.
func inboundValidation(m model.Mesh, w model.Workload, p model.InboundPort, roots []byte) (Resource, error) {
	names := []*tlsv3.SubjectAltNameMatcher{sanOfTrustDomain(m)}
	if p.Access.Closed {
		names = orNobody(admittedNames(m, p.Access))
	}
	name := inboundName(w, p)
	return Encode(name, w.View, validationSecret(name, roots, names))
}

// admittedNames is at least what RBAC admits behind it: it does not look at IP
// blocks. A name outside the trust domain is left out.
func admittedNames(m model.Mesh, a model.Access) []*tlsv3.SubjectAltNameMatcher {
	var exact, prefixes []string
	domain := trustDomainPrefix(m)
	for _, c := range tcpAccessOf(a).allow {
		switch {
		case c.prefix && strings.HasPrefix(domain, c.id):
			prefixes = append(prefixes, domain)
		case !strings.HasPrefix(c.id, domain):
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

func sanOfTrustDomain(m model.Mesh) *tlsv3.SubjectAltNameMatcher {
	return san(startsWith(trustDomainPrefix(m)))
}

func sortedSet(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}
