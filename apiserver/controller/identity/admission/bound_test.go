// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"bytes"
	"os"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

const manifest = "../../../../artifacts/deploy/podcertificate-admission.yaml"

func TestCheckAcceptsTheManifest(t *testing.T) {
	if err := Check(load(t, manifest)); err != nil {
		t.Error(err)
	}
}

func TestCheckRefuses(t *testing.T) {
	ignore := admissionregistrationv1.Ignore
	cluster := admissionregistrationv1.ClusterScope
	some := &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
	type policySpec = admissionregistrationv1.ValidatingAdmissionPolicySpec
	type bindingSpec = admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec

	for name, tc := range map[string]struct {
		policy  func(*policySpec)
		binding func(*bindingSpec)
		want    string
	}{
		"failure to pass":  {policy: func(s *policySpec) { s.FailurePolicy = &ignore }, want: "failurePolicy"},
		"parameters":       {policy: func(s *policySpec) { s.ParamKind = &admissionregistrationv1.ParamKind{} }, want: "paramKind"},
		"no constraints":   {policy: func(s *policySpec) { s.MatchConstraints = nil }, want: "does not match CREATE"},
		"one version only": {policy: func(s *policySpec) { s.MatchConstraints.ResourceRules[0].APIVersions = []string{"v1"} }, want: "does not match CREATE"},
		"another operation": {policy: func(s *policySpec) {
			s.MatchConstraints.ResourceRules[0].Operations = []admissionregistrationv1.OperationType{"UPDATE"}
		}, want: "does not match CREATE"},
		"named requests":             {policy: func(s *policySpec) { s.MatchConstraints.ResourceRules[0].ResourceNames = []string{"x"} }, want: "does not match CREATE"},
		"cluster scope":              {policy: func(s *policySpec) { s.MatchConstraints.ResourceRules[0].Scope = &cluster }, want: "does not match CREATE"},
		"some namespaces":            {policy: func(s *policySpec) { s.MatchConstraints.NamespaceSelector = some }, want: "selector"},
		"some objects":               {policy: func(s *policySpec) { s.MatchConstraints.ObjectSelector = some }, want: "selector"},
		"an exclusion":               {policy: func(s *policySpec) { s.MatchConstraints.ExcludeResourceRules = s.MatchConstraints.ResourceRules }, want: "exclusion"},
		"another condition":          {policy: func(s *policySpec) { s.MatchConditions[0].Expression = "false" }, want: "match condition"},
		"no check of the user":       {policy: func(s *policySpec) { s.Validations = s.Validations[1:] }, want: "system:node:"},
		"no check of the group":      {policy: func(s *policySpec) { s.Validations = s.Validations[:1] }, want: "system:nodes"},
		"a weaker check of the user": {policy: func(s *policySpec) { s.Validations[0].Expression += " || true" }, want: "system:node:"},
		"a binding to another":       {binding: func(s *bindingSpec) { s.PolicyName = "x" }, want: "binds policy"},
		"a binding that only warns":  {binding: func(s *bindingSpec) { s.ValidationActions = []admissionregistrationv1.ValidationAction{"Warn"} }, want: "validationActions"},
		"a binding with parameters":  {binding: func(s *bindingSpec) { s.ParamRef = &admissionregistrationv1.ParamRef{} }, want: "paramRef"},
		"a binding of some namespaces": {
			binding: func(s *bindingSpec) {
				s.MatchResources = &admissionregistrationv1.MatchResources{NamespaceSelector: some}
			},
			want: "selector",
		},
		"a binding of some resources": {
			binding: func(s *bindingSpec) {
				s.MatchResources = &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{}}}
			},
			want: "resourceRules",
		},
	} {
		t.Run(name, func(t *testing.T) {
			policy, binding := load(t, manifest)
			if tc.policy != nil {
				tc.policy(&policy.Spec)
			}
			if tc.binding != nil {
				tc.binding(&binding.Spec)
			}
			wantError(t, Check(policy, binding), tc.want)
		})
	}
}

func TestCheckRefusesWhatIsMissing(t *testing.T) {
	policy, binding := load(t, manifest)
	wantError(t, Check(nil, binding), "ValidatingAdmissionPolicy mesh-podcertificate is missing")
	wantError(t, Check(policy, nil), "ValidatingAdmissionPolicyBinding mesh-podcertificate is missing")
}

// The API server fills in empty selectors; they select everything.
func TestCheckAcceptsDefaultedSelectors(t *testing.T) {
	policy, binding := load(t, manifest)
	policy.Spec.MatchConstraints.NamespaceSelector = &metav1.LabelSelector{}
	policy.Spec.MatchConstraints.ObjectSelector = &metav1.LabelSelector{}
	if err := Check(policy, binding); err != nil {
		t.Error(err)
	}
}

func load(t *testing.T, manifest string) (*admissionregistrationv1.ValidatingAdmissionPolicy, *admissionregistrationv1.ValidatingAdmissionPolicyBinding) {
	t.Helper()
	data, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	documents := bytes.Split(data, []byte("\n---\n"))
	if len(documents) != 2 {
		t.Fatalf("%d documents, want policy and binding", len(documents))
	}
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{}
	if err := yaml.UnmarshalStrict(documents[0], policy); err != nil {
		t.Fatal(err)
	}
	binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{}
	if err := yaml.UnmarshalStrict(documents[1], binding); err != nil {
		t.Fatal(err)
	}
	return policy, binding
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got error %v, want one with %q", err, want)
	}
}
