// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package intent

import (
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// Access says who may call the workloads of a namespace, or may not.
type Access struct {
	Origin Origin
	// Administrators is true if it is about every namespace, in place of its own.
	Administrators bool
	// Targets are the Services whose pods are the target, at the Service's target
	// ports. A target of another kind selects no pod. Empty: Selector decides.
	Targets []Reference
	// Selector chooses the pods that are the target, at every port. Nil: all.
	Selector labels.Selector
	// SelectorError says why the object's selector cannot be read; Selector is nil
	// then, since it must not mean less than its author had in mind. Else "".
	SelectorError string
	// Action is what happens to a call that a rule matches.
	Action Action
	// Audit is true if it changes no verdict, and only what it would do is counted.
	Audit bool
	// MatchAnonymous lets a Deny take a caller without an identity for every
	// identity that its rules name. It does nothing in an Allow.
	MatchAnonymous bool
	// Rules are alternatives.
	Rules []Rule
}

// Action is what happens to a call that an Access matches.
type Action string

const (
	// Allow admits a call, and closes the target to all others. An object whose
	// action is not known closes its target too, by an Allow of broken rules.
	Allow Action = "Allow"
	// Deny refuses a call, whatever any Allow says.
	Deny Action = "Deny"
)

// Rule matches a call that a source makes to a destination.
type Rule struct {
	// Name is how status, refusals and metrics call the rule: by name or index.
	Name string
	// From are alternatives. Empty: any caller in a Deny, none in an Allow.
	From []Source
	// To are alternatives. Empty: every call in a Deny, none in an Allow.
	To []Destination
	// Broken says why the rule cannot be taken as it is written, else "". Such a
	// rule admits no caller; of a Deny, it denies every call at the ports of To. From and To
	// are then what can be read of it, and To's matches are not.
	Broken string
}

// Callers gives the accounts and namespaces that a rule names, in its order;
// those of which its principals speak are not among them.
func (r *Rule) Callers() []Reference {
	var found []Reference
	for i := range r.From {
		for _, account := range r.From[i].ServiceAccounts {
			found = append(found, Reference{Kind: KindServiceAccount, Key: account})
		}
		for _, namespace := range r.From[i].Namespaces {
			found = append(found, Reference{Kind: KindNamespace, Key: Key{Name: namespace}})
		}
	}
	return found
}

// Source is a set of callers; every field that is set must match, and within a
// list one item must. One without any field is no caller in an Allow.
type Source struct {
	// ServiceAccounts of this mesh.
	ServiceAccounts []Key
	// Namespaces stand for every account of this mesh in them.
	Namespaces []string
	// Principals are SPIFFE IDs of whatever trust domain.
	Principals []model.Principal
	// IPBlocks are compared with the address that the connection comes from.
	IPBlocks []model.IPBlock
	// Authenticated stands for every caller with an identity of this mesh.
	Authenticated bool
	// Anonymous stands for callers without an identity. Only IPBlocks may be set
	// beside it.
	Anonymous bool
}

// Destination is a set of calls.
type Destination struct {
	// Ports are container ports of the target, by number or name. Empty: every port
	// of the target.
	Ports []intstr.IntOrString
	Match model.Match
}

// IsPort tells whether a port is a number from 1 to 65535, or a name.
func IsPort(port intstr.IntOrString) bool {
	if port.Type == intstr.String {
		return port.StrVal != ""
	}
	return port.IntVal >= 1 && port.IntVal <= 65535
}
