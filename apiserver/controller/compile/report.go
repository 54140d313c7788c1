// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/intent"
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

// FactsOf gives what a workload's unit has said of a view.
type FactsOf func(view string) *Facts

// Policy reports on a policy; false if it is not there.
func Policy(w world.Reader, origin intent.Reference, factsOf FactsOf) (Report, bool) {
	policy := w.Policy(origin)
	if policy == nil {
		return Report{}, false
	}
	affected, views := affectedBy(w, policy, factsOf)
	invalid := invalidRules(w, policy)
	targets := missingTargets(w, policy)
	callers := missingCallers(w, policy)
	large := tooLargeNotes(affected)
	notes := outsidePorts(policy, affected)
	if len(affected) == 0 && len(targets) == 0 {
		notes = append(notes, "no pod of the mesh is its target")
	}
	report := Report{UID: policy.Origin.UID, Generation: policy.Origin.Generation, Reason: ReasonAccepted, Views: views}
	if policy.Audit {
		report.Audit = true
		notes = append(notes, "it is in audit and changes no verdict")
	} else {
		report.FirstByte = firstByte(w, policy, affected)
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
	facts *Facts
}

func affectedBy(w world.Reader, policy *intent.Access, factsOf FactsOf) ([]reach, []string) {
	var found []reach
	var names []string
	for _, view := range w.ViewsFor(policy) {
		if scope := scopeOf(w, policy, view); !scope.empty() {
			facts := factsOf(view.Name)
			if facts == nil {
				// It could not be compiled, and admits no caller.
				facts = &Facts{}
			}
			found = append(found, reach{view, scope, facts})
			names = append(names, view.Name)
		}
	}
	return found, names
}

func invalidRules(w world.Reader, policy *intent.Access) []string {
	effect := "it admits no caller"
	if policy.Action == intent.Deny {
		effect = "it denies every call to the ports that it names"
	}
	if policy.Audit {
		effect = "in audit it counts as if " + effect
	}
	var found []string
	if policy.SelectorError != "" {
		found = append(found, fmt.Sprintf("selector: %s; the whole namespace is the target", policy.SelectorError))
	}
	for i, r := range compiledOf(w, policy).rules {
		in := &policy.Rules[i]
		switch {
		case in.Broken != "":
			found = append(found, fmt.Sprintf("rule %s: %s; %s", in.Name, in.Broken, effect))
		case r.nobody && !r.absent:
			found = append(found, fmt.Sprintf("rule %s: no caller can match all fields of an item of from", in.Name))
		}
	}
	return found
}

func missingTargets(w world.Reader, policy *intent.Access) []string {
	var found []string
	for _, reference := range policy.Targets {
		if target(w, reference) == nil {
			found = append(found, fmt.Sprintf("target %s %q is not there and nothing of it is affected", reference.Kind, reference.Name))
		}
	}
	return found
}

// missingCallers says which accounts and namespaces of a policy do not exist. A
// Deny takes a principal for an identity, whatever has become of its account.
func missingCallers(w world.Reader, policy *intent.Access) []string {
	deny := policy.Action == intent.Deny
	effect := "it admits no caller until it exists"
	if deny {
		effect = "certificates that have outlived it are refused all the same"
	}
	var found []string
	for i := range policy.Rules {
		rule := &policy.Rules[i]
		callers := rule.Callers()
		if !deny {
			callers = append(callers, principalsOf(w.Settings().TrustDomain(), rule)...)
		}
		for _, caller := range callers {
			if !w.Exists(caller) {
				found = append(found, fmt.Sprintf("rule %s: %s does not exist; %s", rule.Name, caller, effect))
			}
		}
	}
	return found
}

// outsidePorts names the ports of rules that no affected view has in scope.
func outsidePorts(policy *intent.Access, affected []reach) []string {
	if len(affected) == 0 {
		return nil
	}
	var found []string
	for i := range policy.Rules {
		for _, to := range policy.Rules[i].To {
			for _, port := range to.Ports {
				if !slices.ContainsFunc(affected, func(r reach) bool { return r.has(port) }) {
					found = append(found, fmt.Sprintf("rule %s: port %s is outside the target and matches nothing", policy.Rules[i].Name, port.String()))
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
