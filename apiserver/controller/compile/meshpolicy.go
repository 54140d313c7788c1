// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"errors"
	"fmt"
	"strconv"

	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// rule is one rule of a MeshPolicy before its ports are resolved in a view.
type rule struct {
	// name is "<namespace>/<policy>/<rule>", the rule being its name or index.
	name string
	// nobody is true if no caller can match: the rule does nothing.
	nobody bool
	// absent is true if that is so because none of its callers exists.
	absent bool
	// from are alternatives; empty means any caller.
	from []model.Source
	to   []destination
	// broken says why the rule cannot be taken as it is written, or is nil.
	broken error
}

// destination is an item of "to".
type destination struct {
	// ports by number or name; empty means every port of the target.
	ports []intstr.IntOrString
	match model.Match
}

// rules gives the rules of a policy as they act. A broken rule of an Allow
// admits nobody; of a Deny it denies every call at the ports that it names.
func rules(trustDomain string, policy *v1alpha1.MeshPolicy) []rule {
	whole := soundPolicy(policy)
	var out []rule
	for i := range policy.Spec.Rules {
		r := newRule(trustDomain, policy, &policy.Spec.Rules[i])
		r.name = policy.Namespace + "/" + policy.Name + "/" + ruleName(policy, i)
		if r.broken == nil {
			r.broken = whole
		}
		if r.broken != nil {
			r = closed(r, policy.Spec.Action, policy.Spec.Rules[i].To)
		}
		out = append(out, r)
	}
	return out
}

// ruleName is how status and refusals call a rule.
func ruleName(policy *v1alpha1.MeshPolicy, i int) string {
	if name := policy.Spec.Rules[i].Name; name != "" {
		return name
	}
	return strconv.Itoa(i)
}

// soundPolicy checks what concerns all rules. The API server refuses these at
// admission; what is stored may be of another version.
func soundPolicy(policy *v1alpha1.MeshPolicy) error {
	spec := &policy.Spec
	switch {
	case spec.Action != v1alpha1.PolicyActionAllow && spec.Action != v1alpha1.PolicyActionDeny:
		return fmt.Errorf("action %q is not known", spec.Action)
	case spec.Mode != v1alpha1.PolicyModeEnforce && spec.Mode != v1alpha1.PolicyModeAudit && spec.Mode != "":
		return fmt.Errorf("mode %q is not known", spec.Mode)
	case spec.OnAnonymous != nil && spec.Action != v1alpha1.PolicyActionDeny:
		return errors.New("onAnonymous is for a Deny alone")
	case spec.OnAnonymous != nil && *spec.OnAnonymous != v1alpha1.AnonymousMatch && *spec.OnAnonymous != v1alpha1.AnonymousIgnore:
		return fmt.Errorf("onAnonymous %q is not known", *spec.OnAnonymous)
	case len(spec.TargetRefs) > 0 && spec.Selector != nil:
		return errors.New("targetRefs and selector exclude each other")
	}
	return nil
}

func newRule(trustDomain string, policy *v1alpha1.MeshPolicy, in *v1alpha1.PolicyRule) rule {
	var out rule
	allow := policy.Spec.Action == v1alpha1.PolicyActionAllow
	if allow && len(in.From) == 0 {
		return rule{broken: errors.New("from is required in an Allow")}
	}
	if allow && len(in.To) == 0 {
		return rule{broken: errors.New("to is required in an Allow")}
	}
	for i := range in.From {
		source, nobody, err := newSource(trustDomain, policy, &in.From[i])
		if err != nil {
			return rule{broken: fmt.Errorf("from[%d]: %w", i, err)}
		}
		if !nobody {
			out.from = append(out.from, source)
		}
	}
	out.nobody = len(in.From) > 0 && len(out.from) == 0
	for i := range in.To {
		to, err := newDestination(&in.To[i])
		if err != nil {
			return rule{broken: fmt.Errorf("to[%d]: %w", i, err)}
		}
		out.to = append(out.to, to)
	}
	if len(in.To) == 0 {
		out.to = []destination{{match: model.Match{Kind: model.MatchAny}}}
	}
	return out
}

// closed is what is left of a broken rule: nothing of an Allow; of a Deny any
// caller and any call at the ports of "to" that can be read.
func closed(broken rule, action v1alpha1.PolicyAction, to []v1alpha1.PolicyDestination) rule {
	out := rule{name: broken.name, broken: broken.broken}
	if action != v1alpha1.PolicyActionDeny {
		out.nobody = true
		return out
	}
	for i := range to {
		sound := to[i].Ports
		if to[i].All != nil || checkPorts(sound) != nil {
			sound = nil
		}
		out.to = append(out.to, destination{ports: sound, match: model.Match{Kind: model.MatchAny}})
	}
	if len(to) == 0 {
		out.to = []destination{{match: model.Match{Kind: model.MatchAny}}}
	}
	return out
}
