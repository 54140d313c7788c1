// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/intent"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/report"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// RouteVerdicts say what comes of an object that routes.
type RouteVerdicts struct {
	Origin                 intent.Origin
	Accepted, ResolvedRefs report.Verdict
	// Parents are the Services whose calls it routes, sorted, those alone that are there.
	Parents []intent.Key
}

// ProblemsOf gives what a Service's unit has said of the Routes of its calls, or those of
// it that are about the object in question.
type ProblemsOf func(service intent.Key) []RouteProblem

// JudgeRoutes reports on an object that routes; false if it is not there. Parents that
// cannot be routed and Routes in whose place others act are told by Accepted, backends
// that cannot be called by ResolvedRefs.
func JudgeRoutes(w world.Reader, reference intent.Reference, problemsOf ProblemsOf) (RouteVerdicts, bool) {
	origin, routes, ok := w.Routes(reference)
	if !ok {
		return RouteVerdicts{}, false
	}
	out := RouteVerdicts{Origin: origin}
	var parents, refs, notes findings
	if len(routes) == 0 {
		parents.add(report.ReasonInvalid, "it names no parent that can be routed")
	}
	for i := range routes {
		parent := routes[i].Parent
		if why := unroutable(w, &routes[i]); why != "" {
			parents.add(report.ReasonTargetNotFound, why)
		}
		if w.Service(parent) != nil && !slices.Contains(out.Parents, parent) {
			out.Parents = append(out.Parents, parent)
		}
	}
	slices.SortFunc(out.Parents, func(a, b intent.Key) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	for _, parent := range out.Parents {
		problems := problemsOf(parent)
		lost := losesAll(routes, parent, reference, problems)
		for _, p := range problems {
			switch {
			case p.Route.Reference != reference:
			case p.Reason == RouteConflicted && lost:
				parents.add(string(p.Reason), p.Message)
			case p.Rule == "":
				parents.add(string(p.Reason), p.Message)
			case p.Reason == RouteConflicted || p.Reason == RouteUnsupportedValue:
				notes.add(string(p.Reason), "rule "+p.Rule+": "+p.Message)
			default:
				refs.add(string(p.Reason), "rule "+p.Rule+": "+p.Message)
			}
		}
	}
	out.Accepted = parents.verdict(report.ReasonAccepted, "the route is in force as it is written", notes.sentences)
	out.ResolvedRefs = refs.verdict(report.ReasonResolvedRefs, "all backends can be called", nil)
	return out, true
}

// losesAll tells whether others act in the place of each rule that an object has for a
// parent.
func losesAll(routes []intent.Route, parent intent.Key, reference intent.Reference, problems []RouteProblem) bool {
	lost := map[string]bool{}
	for _, p := range problems {
		if p.Route.Reference == reference && p.Reason == RouteConflicted {
			lost[p.Rule] = true
		}
	}
	for i := range routes {
		if routes[i].Parent != parent {
			continue
		}
		if slices.ContainsFunc(routes[i].HTTP, func(r intent.HTTPRule) bool { return !lost[r.Name] }) || routes[i].TCP != nil && !lost[routes[i].TCP.Name] {
			return false
		}
	}
	return true
}

// unroutable says why the calls of a Route's parent cannot be routed, "" if they can.
func unroutable(w world.Reader, r *intent.Route) string {
	service := w.Service(r.Parent)
	switch {
	case service == nil:
		return fmt.Sprintf("Service %q is not there", r.Parent.Name)
	case len(owned(w, r.Parent)) == 0:
		return fmt.Sprintf("Service %q has no address of its own: its callers choose an endpoint themselves", r.Parent.Name)
	case r.Port == 0:
		return ""
	}
	for _, port := range tcpPorts(service) {
		if uint16(port.Port) == r.Port {
			return ""
		}
	}
	return fmt.Sprintf("Service %q has no TCP port %d", r.Parent.Name, r.Port)
}

// findings are sentences, the first of which gives the reason.
type findings struct {
	reason    string
	sentences []string
}

func (f *findings) add(reason, sentence string) {
	if f.reason == "" {
		f.reason = reason
	}
	if !slices.Contains(f.sentences, sentence) {
		f.sentences = append(f.sentences, sentence)
	}
}

// verdict is good if nothing was found.
func (f *findings) verdict(reason, message string, notes []string) report.Verdict {
	if f.reason != "" {
		return report.Verdict{Reason: f.reason, Message: fewSentences(slices.Concat(f.sentences, notes))}
	}
	if len(notes) > 0 {
		message = fewSentences(notes)
	}
	return report.Verdict{True: true, Reason: reason, Message: message}
}
