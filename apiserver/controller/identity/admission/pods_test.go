// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
)

const podsManifest = "../../../../artifacts/deploy/pods-admission.yaml"

func TestCheckPodsAcceptsTheManifest(t *testing.T) {
	if err := CheckPods(load(t, podsManifest)); err != nil {
		t.Error(err)
	}
}

func TestCheckPodsRefuses(t *testing.T) {
	ignore := admissionregistrationv1.Ignore
	type policySpec = admissionregistrationv1.ValidatingAdmissionPolicySpec
	for name, tc := range map[string]struct {
		edit func(*policySpec)
		want string
	}{
		"failure to pass":         {func(s *policySpec) { s.FailurePolicy = &ignore }, "failurePolicy"},
		"no ephemeral containers": {func(s *policySpec) { s.MatchConstraints.ResourceRules[0].Resources = []string{"pods"} }, "does not match"},
		"no updates of the status": {func(s *policySpec) {
			s.MatchConstraints.ResourceRules[0].Resources = []string{"pods", "pods/ephemeralcontainers"}
		}, "does not match"},
		"no updates": {func(s *policySpec) {
			s.MatchConstraints.ResourceRules[0].Operations = []admissionregistrationv1.OperationType{"CREATE"}
		}, "does not match"},
		"another condition":     {func(s *policySpec) { s.MatchConditions[0].Expression = "false" }, "match condition"},
		"no check of the label": {func(s *policySpec) { s.Validations = s.Validations[1:] }, "does not validate"},
	} {
		t.Run(name, func(t *testing.T) {
			policy, binding := load(t, podsManifest)
			tc.edit(&policy.Spec)
			wantError(t, CheckPods(policy, binding), tc.want)
		})
	}
	policy, binding := load(t, podsManifest)
	wantError(t, CheckPods(nil, binding), "ValidatingAdmissionPolicy mesh-pods is missing")
	wantError(t, CheckPods(policy, nil), "ValidatingAdmissionPolicyBinding mesh-pods is missing")
	binding.Spec.ValidationActions = []admissionregistrationv1.ValidationAction{"Warn"}
	wantError(t, CheckPods(policy, binding), "validationActions")
}
