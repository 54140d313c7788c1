// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package meshpolicy is what the controller knows of the kind MeshPolicy.
package meshpolicy

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/intent"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// Kind is the origin's kind of an intent that comes from a MeshPolicy.
const Kind = "MeshPolicy"

// Reference names a MeshPolicy.
func Reference(key intent.Key) intent.Reference { return intent.Reference{Kind: Kind, Key: key} }

// Access says what a policy says. Those in systemNamespace are the administrators'.
//
// The API server refuses at admission what is broken here; what is stored may be
// of another version.
func Access(policy *v1alpha1.MeshPolicy, systemNamespace string) intent.Access {
	spec := &policy.Spec
	out := intent.Access{
		Origin: intent.Origin{
			Reference:  Reference(intent.Key{Namespace: policy.Namespace, Name: policy.Name}),
			UID:        policy.UID,
			Generation: policy.Generation,
		},
		Administrators: policy.Namespace == systemNamespace && systemNamespace != "",
		Targets:        targets(policy),
		Action:         intent.Allow,
		Audit:          spec.Mode == v1alpha1.PolicyModeAudit,
	}
	if spec.Action == v1alpha1.PolicyActionDeny {
		out.Action = intent.Deny
		out.MatchAnonymous = spec.OnAnonymous == nil || *spec.OnAnonymous == v1alpha1.AnonymousMatch
	}
	if spec.Selector != nil {
		selector, err := metav1.LabelSelectorAsSelector(spec.Selector)
		if err != nil {
			out.SelectorError = err.Error()
		} else {
			out.Selector = selector
		}
	}
	whole := check(spec)
	for i := range spec.Rules {
		out.Rules = append(out.Rules, guarded(ruleName(spec, i), func() intent.Rule { return rule(policy, i, whole) }))
	}
	return out
}

// SaySame tells whether two states of an object differ in the status alone.
func SaySame(a, b *v1alpha1.MeshPolicy) bool {
	return a.UID == b.UID && a.Generation == b.Generation && reflect.DeepEqual(a.Spec, b.Spec)
}

// targets gives the Services of the policy's own namespace that it names. An
// object of another group or kind keeps its own, such as "Gateway.example.com".
func targets(policy *v1alpha1.MeshPolicy) []intent.Reference {
	var out []intent.Reference
	for _, ref := range policy.Spec.TargetRefs {
		kind := ref.Kind
		if ref.Group != corev1.GroupName {
			kind = schema.GroupKind{Group: ref.Group, Kind: ref.Kind}.String()
		}
		out = append(out, intent.Reference{Kind: kind, Key: intent.Key{Namespace: policy.Namespace, Name: ref.Name}})
	}
	return out
}

// check says what breaks all rules.
func check(spec *v1alpha1.MeshPolicySpec) error {
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

// ruleName is how status and refusals call a rule.
func ruleName(spec *v1alpha1.MeshPolicySpec, i int) string {
	if name := spec.Rules[i].Name; name != "" {
		return name
	}
	return strconv.Itoa(i)
}

// guarded translates a rule. A panic breaks it: it must neither stop the server
// nor leave the rule out.
func guarded(name string, translate func() intent.Rule) (out intent.Rule) {
	defer func() {
		if r := recover(); r != nil {
			out = intent.Rule{Name: name, Broken: fmt.Sprintf("it cannot be read: %v", r)}
		}
	}()
	return translate()
}

// rule translates a rule; whole says what breaks all of them, or is nil.
func rule(policy *v1alpha1.MeshPolicy, i int, whole error) intent.Rule {
	in := &policy.Spec.Rules[i]
	out := intent.Rule{Name: ruleName(&policy.Spec, i)}
	broken := missing(policy.Spec.Action, in)
	for i := range in.From {
		from, err := source(policy.Namespace, &in.From[i])
		out.From = append(out.From, from)
		if broken == nil && err != nil {
			broken = fmt.Errorf("from[%d]: %w", i, err)
		}
	}
	for i := range in.To {
		to, err := destination(&in.To[i])
		out.To = append(out.To, to)
		if broken == nil && err != nil {
			broken = fmt.Errorf("to[%d]: %w", i, err)
		}
	}
	if broken == nil {
		broken = whole
	}
	if broken != nil {
		out.Broken = broken.Error()
		for i := range out.To {
			out.To[i].Match = model.Match{Kind: model.MatchAny}
		}
	}
	return out
}

// missing says what an Allow cannot do without.
func missing(action v1alpha1.PolicyAction, in *v1alpha1.PolicyRule) error {
	switch {
	case action != v1alpha1.PolicyActionAllow:
		return nil
	case len(in.From) == 0:
		return errors.New("from is required in an Allow")
	case len(in.To) == 0:
		return errors.New("to is required in an Allow")
	}
	return nil
}
