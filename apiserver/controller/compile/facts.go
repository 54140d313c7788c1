// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// Facts are what reports of policies say of a workload beside their own policy.
type Facts struct {
	// shape writes down its ports, which of them are closed, and what is denied there
	// at the first byte, which hangs on whom else they admit.
	shape string
	// crowded is true if it has more than maxPorts ports.
	crowded bool
	// most names the policy that has most of its rules, if these are too many.
	most string
	// tcp are its ports that are not HTTP, by number.
	tcp []*tcpPort
}

// Same tells whether reports say the same by both.
func (f *Facts) Same(other *Facts) bool {
	return f.shape == other.shape && f.crowded == other.crowded && f.most == other.most
}

func newFacts(w world.Reader, view *world.View, policies []applied, workload model.Workload) *Facts {
	ports := portsOf(w, view, policies)
	facts := &Facts{crowded: len(ports) > maxPorts, shape: shapeOf(w.Settings().TrustDomain(), workload)}
	if rulesSize(ports, policies) > maxRuleBytes {
		most := slices.MaxFunc(policies, func(a, b applied) int {
			return cmp.Compare(a.bytes*a.portsIn(ports), b.bytes*b.portsIn(ports))
		}).policy
		facts.most = most.Origin.Key.String()
	}
	facts.tcp = tcpPortsOf(w, view, policies)
	return facts
}

func shapeOf(trustDomain string, w model.Workload) string {
	var shape strings.Builder
	for _, p := range w.Ports {
		fmt.Fprintf(&shape, "%d %s %t %s\n", p.Number, p.Protocol, p.Access.Closed, AtFirstByte(trustDomain, p))
	}
	return shape.String()
}

// tcpPortsOf gives the ports of a workload that are not HTTP, those that policies
// alone name included; none of one that is too large and so admits no caller.
func tcpPortsOf(w world.Reader, view *world.View, policies []applied) []*tcpPort {
	policies, ports := withinBounds(w, view, policies)
	if tooLarge(ports, policies) {
		return nil
	}
	var tcp []*tcpPort
	access := newSetting(w, axisAccess, view)
	ports[everyOther] = declared{}
	for _, number := range slices.Sorted(maps.Keys(ports)) {
		if ports[number].protocol.IsHTTP() {
			continue
		}
		open, _ := access.at(number)
		open = open && !slices.ContainsFunc(policies, func(p applied) bool { return p.closes(number) })
		tcp = append(tcp, &tcpPort{number: number, open: open})
	}
	return tcp
}

// tooLargeNotes says that workloads have more ports than can be told apart, or more
// rules than a proxy should hold and which policy has most of them.
func tooLargeNotes(affected []reach) []string {
	crowded, most := false, ""
	for _, r := range affected {
		crowded = crowded || r.facts.crowded
		most = cmp.Or(most, r.facts.most)
	}
	var notes []string
	if crowded {
		notes = append(notes, fmt.Sprintf("some workloads have more than %d ports, declared or named by policies: they admit no caller", maxPorts))
	}
	if most != "" {
		notes = append(notes, fmt.Sprintf("some workloads have more than %d MiB of rules at all their ports: they admit no caller, or leave policies in audit out; %s has most of them",
			maxRuleBytes>>20, most))
	}
	return notes
}
