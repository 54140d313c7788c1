// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package admission makes sure that the ValidatingAdmissionPolicy
// mesh-podcertificate stands between tenants and our signer. A
// PodCertificateRequest does not say who made it; without the policy whoever may
// create one gets a certificate for another's pod. It also looks whether mesh-pods
// is bound, which keeps pods of the mesh as the webhook made them.
package admission

import (
	"errors"
	"fmt"
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// PolicyName names the policy and its binding, both of
// artifacts/deploy/podcertificate-admission.yaml.
const PolicyName = "mesh-podcertificate"

// What the policy says, in CEL. A policy that says less is not ours.
const (
	// ofOurSigner is the only match condition: any other would let requests by.
	ofOurSigner = "object.spec.signerName == '" + sidecar.Signer + "'"
	// byTheNode and ofTheNodes name the pod's own kubelet, as the node authorizer
	// of Kubernetes does: user system:node:NAME in group system:nodes.
	byTheNode  = "request.userInfo.username == 'system:node:' + object.spec.nodeName"
	ofTheNodes = "'system:nodes' in request.userInfo.groups"
)

// Check tells what keeps the policy from refusing every request for our signer
// that the pod's own kubelet did not make; nil means that nothing does. A nil
// policy or binding is one that does not exist.
func Check(policy *admissionregistrationv1.ValidatingAdmissionPolicy, binding *admissionregistrationv1.ValidatingAdmissionPolicyBinding) error {
	if policy == nil {
		return fmt.Errorf("ValidatingAdmissionPolicy %s is missing", PolicyName)
	}
	if binding == nil {
		return fmt.Errorf("ValidatingAdmissionPolicyBinding %s is missing", PolicyName)
	}
	if err := checkPolicy(policy.Spec); err != nil {
		return fmt.Errorf("ValidatingAdmissionPolicy %s: %w", PolicyName, err)
	}
	if err := checkBinding(binding.Spec, PolicyName); err != nil {
		return fmt.Errorf("ValidatingAdmissionPolicyBinding %s: %w", PolicyName, err)
	}
	return nil
}

func checkPolicy(spec admissionregistrationv1.ValidatingAdmissionPolicySpec) error {
	if err := checkStrict(spec, ofOurSigner); err != nil {
		return err
	}
	if err := checkConstraints(spec.MatchConstraints); err != nil {
		return err
	}
	for _, want := range []string{byTheNode, ofTheNodes} {
		says := func(v admissionregistrationv1.Validation) bool { return v.Expression == want }
		if !slices.ContainsFunc(spec.Validations, says) {
			return fmt.Errorf("does not validate %q", want)
		}
	}
	return nil
}

// checkStrict refuses what lets requests by that the condition matches.
func checkStrict(spec admissionregistrationv1.ValidatingAdmissionPolicySpec, condition string) error {
	if spec.FailurePolicy != nil && *spec.FailurePolicy != admissionregistrationv1.Fail {
		return fmt.Errorf("failurePolicy is %s, want Fail", *spec.FailurePolicy)
	}
	if spec.ParamKind != nil {
		return errors.New("has a paramKind, want none")
	}
	for _, c := range spec.MatchConditions {
		if c.Expression != condition {
			return fmt.Errorf("match condition %q leaves requests out", c.Name)
		}
	}
	return nil
}

func checkConstraints(match *admissionregistrationv1.MatchResources) error {
	if match == nil || !slices.ContainsFunc(match.ResourceRules, coversRequests) {
		return errors.New("does not match CREATE of podcertificaterequests in every version")
	}
	return checkUnselective(match)
}

// checkUnselective refuses what confines a match to a part of all requests.
func checkUnselective(match *admissionregistrationv1.MatchResources) error {
	selects := match.NamespaceSelector != nil && (len(match.NamespaceSelector.MatchLabels) > 0 || len(match.NamespaceSelector.MatchExpressions) > 0) ||
		match.ObjectSelector != nil && (len(match.ObjectSelector.MatchLabels) > 0 || len(match.ObjectSelector.MatchExpressions) > 0)
	if selects || len(match.ExcludeResourceRules) > 0 {
		return errors.New("leaves requests out by a selector or an exclusion")
	}
	return nil
}

func coversRequests(r admissionregistrationv1.NamedRuleWithOperations) bool {
	return len(r.ResourceNames) == 0 &&
		slices.Contains(r.Operations, admissionregistrationv1.Create) &&
		slices.Contains(r.APIGroups, certificatesv1.GroupName) &&
		slices.Contains(r.APIVersions, "*") &&
		slices.Contains(r.Resources, "podcertificaterequests") &&
		(r.Scope == nil || *r.Scope == admissionregistrationv1.AllScopes || *r.Scope == admissionregistrationv1.NamespacedScope)
}

func checkBinding(spec admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec, policy string) error {
	if spec.PolicyName != policy {
		return fmt.Errorf("binds policy %q", spec.PolicyName)
	}
	if !slices.Contains(spec.ValidationActions, admissionregistrationv1.Deny) {
		return fmt.Errorf("validationActions are %v, want Deny", spec.ValidationActions)
	}
	if spec.ParamRef != nil {
		return errors.New("has a paramRef, want none")
	}
	if spec.MatchResources == nil {
		return nil
	}
	if len(spec.MatchResources.ResourceRules) > 0 {
		return errors.New("leaves requests out by resourceRules of its own")
	}
	return checkUnselective(spec.MatchResources)
}
