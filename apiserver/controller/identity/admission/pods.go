// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"errors"
	"fmt"
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// PodsPolicyName names the policy that keeps pods of the mesh what the webhook
// made of them, and its binding, both of artifacts/deploy/pods-admission.yaml.
const PodsPolicyName = "mesh-pods"

// What the policy says, in CEL.
const (
	// withOurCertificate is the only match condition.
	withOurCertificate = "has(object.spec.volumes) && object.spec.volumes.exists(v, has(v.projected) && has(v.projected.sources) && " +
		"v.projected.sources.exists(s, has(s.podCertificate) && s.podCertificate.signerName == '" + sidecar.Signer + "'))"
	// seenByTheWebhook is what a pod with our certificate must be.
	seenByTheWebhook = "request.operation != 'CREATE' || variables.inject == 'enabled' || " +
		"(variables.inject != 'disabled' && variables.injectOfNamespace == 'enabled')"
)

// CheckPods tells what keeps the policy mesh-pods from refusing; nil means that
// nothing does. A nil policy or binding is one that does not exist.
func CheckPods(policy *admissionregistrationv1.ValidatingAdmissionPolicy, binding *admissionregistrationv1.ValidatingAdmissionPolicyBinding) error {
	if policy == nil {
		return fmt.Errorf("ValidatingAdmissionPolicy %s is missing", PodsPolicyName)
	}
	if binding == nil {
		return fmt.Errorf("ValidatingAdmissionPolicyBinding %s is missing", PodsPolicyName)
	}
	if err := checkPodsPolicy(policy.Spec); err != nil {
		return fmt.Errorf("ValidatingAdmissionPolicy %s: %w", PodsPolicyName, err)
	}
	if err := checkBinding(binding.Spec, PodsPolicyName); err != nil {
		return fmt.Errorf("ValidatingAdmissionPolicyBinding %s: %w", PodsPolicyName, err)
	}
	return nil
}

func checkPodsPolicy(spec admissionregistrationv1.ValidatingAdmissionPolicySpec) error {
	if err := checkStrict(spec, withOurCertificate); err != nil {
		return err
	}
	if spec.MatchConstraints == nil || !slices.ContainsFunc(spec.MatchConstraints.ResourceRules, coversPods) {
		return errors.New("does not match CREATE and UPDATE of pods, pods/ephemeralcontainers and pods/status in every version")
	}
	says := func(v admissionregistrationv1.Validation) bool { return v.Expression == seenByTheWebhook }
	if !slices.ContainsFunc(spec.Validations, says) {
		return fmt.Errorf("does not validate %q", seenByTheWebhook)
	}
	return checkUnselective(spec.MatchConstraints)
}

func coversPods(r admissionregistrationv1.NamedRuleWithOperations) bool {
	return len(r.ResourceNames) == 0 &&
		slices.Contains(r.Operations, admissionregistrationv1.Create) &&
		slices.Contains(r.Operations, admissionregistrationv1.Update) &&
		slices.Contains(r.APIGroups, "") &&
		slices.Contains(r.APIVersions, "*") &&
		slices.Contains(r.Resources, "pods") &&
		slices.Contains(r.Resources, "pods/ephemeralcontainers") &&
		slices.Contains(r.Resources, "pods/status") &&
		(r.Scope == nil || *r.Scope != admissionregistrationv1.ClusterScope)
}
