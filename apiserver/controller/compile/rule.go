// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"slices"

	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/intent"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// rule is one rule of a policy before its ports are resolved in a view.
type rule struct {
	// name is "<namespace>/<policy>/<rule>", the rule being its name or index.
	name string
	// nobody is true if no caller can match: the rule does nothing.
	nobody bool
	// absent is true if that is so because none of its callers exists.
	absent bool
	// from are alternatives; empty means any caller.
	from []model.Source
	to   []intent.Destination
}

// rules gives the rules of a policy as they act. A broken rule of an Allow
// admits no caller; of a Deny it denies every call at the ports that it names.
func rules(trustDomain string, policy *intent.Access) []rule {
	var out []rule
	for i := range policy.Rules {
		in := &policy.Rules[i]
		r := newRule(trustDomain, policy, in)
		if in.Broken != "" {
			r = closed(policy.Action, in.To)
		}
		r.name = policy.Origin.Key.String() + "/" + in.Name
		out = append(out, r)
	}
	return out
}

func newRule(trustDomain string, policy *intent.Access, in *intent.Rule) rule {
	out := rule{to: in.To}
	for i := range in.From {
		if source, nobody := newSource(trustDomain, policy, &in.From[i]); !nobody {
			out.from = append(out.from, source)
		}
	}
	out.nobody = len(out.from) == 0 && (len(in.From) > 0 || policy.Action != intent.Deny)
	if len(in.To) == 0 && policy.Action == intent.Deny {
		out.to = everyCall()
	}
	return out
}

// closed is what is left of a broken rule: nothing of an Allow; of a Deny any
// caller and any call at the ports of "to" that can be read.
func closed(action intent.Action, to []intent.Destination) rule {
	if action != intent.Deny {
		return rule{nobody: true}
	}
	if len(to) == 0 {
		return rule{to: everyCall()}
	}
	var out rule
	for _, d := range to {
		sound := d.Ports
		if slices.ContainsFunc(sound, func(p intstr.IntOrString) bool { return !intent.IsPort(p) }) {
			sound = nil
		}
		out.to = append(out.to, intent.Destination{Ports: sound, Match: model.Match{Kind: model.MatchAny}})
	}
	return out
}

func everyCall() []intent.Destination {
	return []intent.Destination{{Match: model.Match{Kind: model.MatchAny}}}
}
