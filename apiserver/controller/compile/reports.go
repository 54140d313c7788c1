// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// Reports reports on policies while the world stays as it is. What their reports
// say of a workload is found once for all of them: a namespace of a thousand
// policies would else be walked for each.
type Reports struct {
	world *world.World
	views map[string]*viewFacts
}

// viewFacts are what reports say of a workload beside their own policy.
type viewFacts struct {
	// crowded is true if it has more than maxPorts ports.
	crowded bool
	// most names the policy that has most of its rules, if these are too many.
	most string
	// tcp are its ports that are not HTTP, by number.
	tcp []*tcpPort
	// policies apply to it.
	policies []applied
}

// NewReports is for a world that does not change while it is used.
func NewReports(w *world.World) *Reports {
	return &Reports{world: w, views: map[string]*viewFacts{}}
}

func (rs *Reports) of(view *world.View) *viewFacts {
	facts := rs.views[view.Name]
	if facts == nil {
		facts = newViewFacts(rs.world, view)
		rs.views[view.Name] = facts
	}
	return facts
}

func newViewFacts(w *world.World, view *world.View) *viewFacts {
	policies := policiesOn(w, view)
	ports := portsOf(w, view, policies)
	facts := &viewFacts{crowded: len(ports) > maxPorts, policies: policies}
	if rulesSize(ports, policies) > maxRuleBytes {
		most := slices.MaxFunc(policies, func(a, b applied) int {
			return cmp.Compare(a.bytes*a.portsIn(ports), b.bytes*b.portsIn(ports))
		}).policy
		facts.most = most.Origin.Key.String()
	}
	facts.tcp = tcpPortsOf(w, view, policies)
	return facts
}

// tcpPortsOf gives the ports of a workload that are not HTTP, those that policies
// alone name included; none of one that is too large and so admits no caller.
func tcpPortsOf(w *world.World, view *world.View, policies []applied) []*tcpPort {
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

// tooLarge says that workloads have more ports than can be told apart, or more
// rules than a proxy should hold and which policy has most of them.
func (rs *Reports) tooLarge(affected []reach) []string {
	crowded, most := false, ""
	for _, r := range affected {
		facts := rs.of(r.view)
		crowded = crowded || facts.crowded
		most = cmp.Or(most, facts.most)
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
