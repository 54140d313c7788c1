// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/intent"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// firstByte names a port at which a Deny acts on the first byte that a caller
// sends: the handshake tells callers apart by the names that are admitted, and
// admits some that the Deny refuses.
func firstByte(w world.Reader, policy *intent.Access, affected []reach) string {
	rules := denyingCallers(w, policy)
	if len(rules) == 0 {
		return ""
	}
	for _, r := range affected {
		for _, port := range r.facts.tcp {
			if !r.scope.has(port.number) || !slices.ContainsFunc(rules, func(rule rule) bool {
				return len(rule.at(r.view, port.number)) > 0 && admitted(w, r.view, port).isHeard(rule.from)
			}) {
				continue
			}
			if port.open {
				return portName(port.number) + " is open and not HTTP: a caller that is denied there hears a server that speaks first until it sends a byte itself; an Allow would close the port"
			}
			return portName(port.number) + " is not HTTP, and an Allow admits callers there of which only some are denied: these hear a server that speaks first until they send a byte themselves; name in the Allow those alone who may call"
		}
	}
	return ""
}

// tcpPort is a port that is not HTTP; open says that no Allow closes it.
type tcpPort struct {
	number uint16
	open   bool
	// handshake is found when it is asked for.
	handshake *handshake
}

// handshake are those whom the handshake of a port would take if nobody were
// denied, by name; prefixes end in a slash.
type handshake []model.Principal

// admitted is kept with the facts of the workload: they are others when its policies
// are. So what it reads is not recorded.
func admitted(w world.Reader, view *world.View, port *tcpPort) handshake {
	if port.handshake == nil {
		w = w.Unrecorded()
		all := admittedAt(w.Settings().TrustDomain(), view, policiesOn(w, view), port)
		port.handshake = &all
	}
	return *port.handshake
}

func admittedAt(domain string, view *world.View, policies []applied, port *tcpPort) handshake {
	if port.open {
		return handshake{everybody(domain)}
	}
	var out handshake
	for _, p := range policies {
		if !p.closes(port.number) {
			continue
		}
		for _, r := range p.rules {
			if !r.nobody && slices.ContainsFunc(r.at(view, port.number), isOfConnections) {
				out = out.with(domain, r.from)
			}
		}
	}
	return normal(out)
}

// AtFirstByte names the Deny rules that act at the first byte at a port that is
// closed, as the conditions of their policies say.
func AtFirstByte(trustDomain string, p model.InboundPort) []string {
	if p.Protocol.IsHTTP() || !p.Access.Closed || len(p.Access.Deny) == 0 {
		return nil
	}
	var h handshake
	for _, r := range p.Access.Allow {
		if slices.ContainsFunc(r.To, isOfConnections) {
			h = h.with(trustDomain, r.From)
		}
	}
	h = normal(h)
	var names []string
	for _, r := range p.Access.Deny {
		if h.isHeard(r.From) {
			names = append(names, r.Name)
		}
	}
	return names
}

// with adds those of the trust domain whom an Allow admits.
func (h handshake) with(domain string, from []model.Source) handshake {
	all := everybody(domain)
	for _, s := range from {
		if s.Anonymous {
			continue
		}
		if len(s.Principals) == 0 {
			h = append(h, all)
		}
		for _, p := range s.Principals {
			switch {
			case covers(p, all):
				h = append(h, all)
			case covers(all, p):
				h = append(h, p)
			}
		}
	}
	return h
}

func everybody(domain string) model.Principal {
	return model.Principal{ID: "spiffe://" + domain + "/", Prefix: true}
}

func isOfConnections(m model.Match) bool { return m.Kind == model.MatchAny || m.Kind == model.MatchTCP }

// anybody is every SPIFFE ID.
func anybody() model.Principal { return model.Principal{ID: "spiffe://", Prefix: true} }

// isHeard tells whether a rule denies somebody for whom the handshake has no name
// of its own: he is admitted with others, or denied at some addresses alone.
func (h handshake) isHeard(from []model.Source) bool {
	denied := everywhere(from)
	return slices.ContainsFunc(from, func(s model.Source) bool {
		byAddress := len(s.IPBlocks) > 0
		if s.Anonymous || len(s.Principals) == 0 {
			return !s.Anonymous && byAddress && h.hasOf(anybody(), denied)
		}
		return slices.ContainsFunc(s.Principals, func(p model.Principal) bool {
			return h.hasAbove(p, denied) || byAddress && h.hasOf(p, denied)
		})
	})
}

// everywhere are those whom a rule denies at all addresses: the handshake has
// none of them that has a name of his own.
func everywhere(from []model.Source) handshake {
	var out handshake
	for _, s := range from {
		switch {
		case s.Anonymous || len(s.IPBlocks) > 0:
		case len(s.Principals) == 0:
			return handshake{anybody()}
		default:
			out = append(out, s.Principals...)
		}
	}
	return normal(out)
}

// hasAbove tells whether there is a prefix that means more than p, and is not
// among those who are denied.
func (h handshake) hasAbove(p model.Principal, denied handshake) bool {
	for i, letter := range p.ID {
		above := model.Principal{ID: p.ID[:i+1], Prefix: true}
		if letter != '/' || above == p {
			continue
		}
		if _, found := h.find(above); found && !denied.has(above) {
			return true
		}
	}
	return false
}

// hasOf tells whether p itself is there, or one of those that it means, and is not
// among those who are denied.
func (h handshake) hasOf(p model.Principal, denied handshake) bool {
	for i, _ := h.find(p); i < len(h) && (h[i] == p || covers(p, h[i])); i++ {
		if !denied.has(h[i]) {
			return true
		}
	}
	return false
}

// has tells whether p is there, or a prefix of it.
func (h handshake) has(p model.Principal) bool {
	_, found := h.find(p)
	return found || h.hasAbove(p, nil)
}

// find gives where p is by name, or the first that is not before it.
func (h handshake) find(p model.Principal) (at int, found bool) {
	at, _ = slices.BinarySearchFunc(h, p, func(a, b model.Principal) int { return strings.Compare(a.ID, b.ID) })
	return at, at < len(h) && h[at] == p
}

// denyingCallers are the rules of a Deny that refuse some callers and not others.
func denyingCallers(w world.Reader, policy *intent.Access) []rule {
	if policy.Action != intent.Deny {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(compiledOf(w, policy).rules), func(r rule) bool { return len(r.from) == 0 })
}

// closes tells whether a policy lets a port take calls only from those whom an
// Allow admits.
func (p applied) closes(number uint16) bool {
	return p.policy.Action != intent.Deny && !p.audits() && p.scope.has(number)
}

func portName(number uint16) string {
	if number == everyOther {
		return "every port that nothing names"
	}
	return fmt.Sprintf("port %d", number)
}
