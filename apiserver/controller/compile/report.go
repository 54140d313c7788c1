// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/report"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// Reasons of the condition Accepted.
const (
	ReasonAccepted          = report.ReasonAccepted
	ReasonInvalid           = report.ReasonInvalid
	ReasonTargetNotFound    = report.ReasonTargetNotFound
	ReasonReferenceNotFound = report.ReasonReferenceNotFound
)

// Report is what is to be said of a policy itself: whether it acts as it is
// written, and on whom.
type Report struct {
	// UID and Generation of the policy that the report is about.
	UID        types.UID
	Generation int64
	// Accepted is true if the policy can be compiled and all that it names exists.
	Accepted bool
	// Reason is one of the Reason constants.
	Reason string
	// Message is for people; it names rules by name or index.
	Message string
	// FirstByte says where a Deny by identity acts late: at a TCP port that is
	// open, a server that speaks first is heard until the denied caller says
	// something. "" if there is no such port.
	FirstByte string
	// Views that the policy affects, sorted.
	Views []string
	// Audit is true if the policy reports only.
	Audit bool
}

// messages is how many sentences a Report's message has at most.
const messages = 8

// Policy reports on a MeshPolicy; false if it is not there.
func Policy(w *world.World, key world.Key) (Report, bool) { return NewReports(w).Policy(key) }

// Policy is the same for one of many, while nothing changes.
func (rs *Reports) Policy(key world.Key) (Report, bool) {
	w := rs.world
	policy := w.Policy(key)
	if policy == nil {
		return Report{}, false
	}
	affected, views := affectedBy(w, policy)
	invalid := invalidRules(w, policy)
	targets := missingTargets(w, policy)
	callers := missingCallers(w, policy)
	large := rs.tooLarge(affected)
	notes := outsidePorts(policy, affected)
	if len(affected) == 0 && len(targets) == 0 {
		notes = append(notes, "no pod of the mesh is its target")
	}
	report := Report{UID: policy.UID, Generation: policy.Generation, Reason: ReasonAccepted, Views: views}
	if policy.Spec.Mode == v1alpha1.PolicyModeAudit {
		report.Audit = true
		notes = append(notes, "it is in audit and changes no verdict")
	} else {
		report.FirstByte = rs.firstByte(policy, affected)
	}
	switch {
	case len(invalid) > 0:
		report.Reason = ReasonInvalid
	case len(targets) > 0:
		report.Reason = ReasonTargetNotFound
	case len(callers) > 0:
		report.Reason = ReasonReferenceNotFound
	}
	report.Accepted = report.Reason == ReasonAccepted
	report.Message = sentence(slices.Concat(large, invalid, targets, callers, notes))
	return report, true
}

func sentence(parts []string) string {
	if len(parts) == 0 {
		return "the policy is in force as it is written"
	}
	if more := len(parts) - messages; more > 0 {
		parts = append(parts[:messages:messages], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(parts, "; ")
}

// reach is what a policy has as its target in one view.
type reach struct {
	view  *world.View
	scope scope
}

func affectedBy(w *world.World, policy *v1alpha1.MeshPolicy) ([]reach, []string) {
	var found []reach
	var names []string
	for _, view := range w.ViewsFor(policy) {
		if scope := scopeOf(w, policy, view); !scope.empty() {
			found = append(found, reach{view, scope})
			names = append(names, view.Name)
		}
	}
	return found, names
}

func invalidRules(w *world.World, policy *v1alpha1.MeshPolicy) []string {
	effect := "it admits no caller"
	if policy.Spec.Action == v1alpha1.PolicyActionDeny {
		effect = "it denies every call to the ports that it names"
	}
	if policy.Spec.Mode == v1alpha1.PolicyModeAudit {
		effect = "in audit it counts as if " + effect
	}
	var found []string
	if _, err := metav1.LabelSelectorAsSelector(policy.Spec.Selector); err != nil {
		found = append(found, fmt.Sprintf("selector: %v; the whole namespace is the target", err))
	}
	for i, r := range compiledOf(w, policy).rules {
		switch {
		case r.broken != nil:
			found = append(found, fmt.Sprintf("rule %s: %v; %s", ruleName(policy, i), r.broken, effect))
		case r.nobody && !r.absent:
			found = append(found, fmt.Sprintf("rule %s: no caller can match all fields of an item of from", ruleName(policy, i)))
		}
	}
	return found
}

func missingTargets(w *world.World, policy *v1alpha1.MeshPolicy) []string {
	var found []string
	for _, ref := range policy.Spec.TargetRefs {
		if target(w, policy, ref) == nil {
			found = append(found, fmt.Sprintf("target %s %q is not there and nothing of it is affected", ref.Kind, ref.Name))
		}
	}
	return found
}

// missingCallers says which accounts and namespaces of a policy do not exist. A
// Deny takes a principal for an identity, whatever has become of its account.
func missingCallers(w *world.World, policy *v1alpha1.MeshPolicy) []string {
	deny := policy.Spec.Action == v1alpha1.PolicyActionDeny
	effect := "it admits no caller until it exists"
	if deny {
		effect = "certificates that have outlived it are refused all the same"
	}
	var found []string
	for i := range policy.Spec.Rules {
		rule := &policy.Spec.Rules[i]
		callers := world.Callers(policy, rule)
		if !deny {
			callers = append(callers, principalsOf(w.Settings().TrustDomain, rule)...)
		}
		for _, caller := range callers {
			if !w.Exists(caller) {
				found = append(found, fmt.Sprintf("rule %s: %s does not exist; %s", ruleName(policy, i), caller, effect))
			}
		}
	}
	return found
}

// outsidePorts names the ports of rules that no affected view has in scope.
func outsidePorts(policy *v1alpha1.MeshPolicy, affected []reach) []string {
	if len(affected) == 0 {
		return nil
	}
	var found []string
	for i := range policy.Spec.Rules {
		for _, to := range policy.Spec.Rules[i].To {
			for _, port := range to.Ports {
				if !slices.ContainsFunc(affected, func(r reach) bool { return r.has(port) }) {
					found = append(found, fmt.Sprintf("rule %s: port %s is outside the target and matches nothing", ruleName(policy, i), port.String()))
				}
			}
		}
	}
	return found
}

func (r reach) has(port intstr.IntOrString) bool {
	number, ok := containerPort(r.view, port)
	return ok && r.scope.has(number)
}
