// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"errors"
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// hostWith serves every resource that a plugin needs but those that are absent,
// and allows all but what is denied, as "verb resource".
func hostWith(absent, denied []string) *fake.Clientset {
	host := fake.NewClientset()
	served := map[string][]metav1.APIResource{}
	for _, p := range plugins {
		for _, n := range p.needs {
			if !slices.Contains(absent, n.Resource) {
				version := n.GroupVersion().String()
				served[version] = append(served[version], metav1.APIResource{Name: n.Resource})
			}
		}
	}
	for version, resources := range served {
		host.Resources = append(host.Resources, &metav1.APIResourceList{GroupVersion: version, APIResources: resources})
	}
	host.PrependReactor("create", "selfsubjectaccessreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		review := action.(clienttesting.CreateAction).GetObject().(*authorizationv1.SelfSubjectAccessReview).DeepCopy()
		asked := review.Spec.ResourceAttributes
		review.Status.Allowed = !slices.Contains(denied, asked.Verb+" "+asked.Resource)
		return true, review, nil
	})
	return host
}

func TestPluginsAreOffWhereTheHostDoesNotAllowThem(t *testing.T) {
	tests := []struct {
		name           string
		absent, denied []string
		want           []string
	}{
		{"a host that allows all", nil, nil, nil},
		{"a host before MutatingAdmissionPolicy v1", []string{"mutatingadmissionpolicies"}, nil, []string{"MutatingAdmissionPolicy"}},
		{"bindings that may not be read", nil, []string{"watch validatingadmissionpolicybindings"}, []string{"ValidatingAdmissionPolicy"}},
		{"webhooks that may not be read", nil, []string{"list mutatingwebhookconfigurations", "list validatingwebhookconfigurations"},
			[]string{"MutatingAdmissionWebhook", "ValidatingAdmissionWebhook"}},
		{"quotas that may not be charged", nil, []string{"update resourcequotas"}, []string{"ResourceQuota"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			allowed, err := allow(t.Context(), NewOptions(), newGate(hostWith(tt.absent, tt.denied)))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(allowed.DisablePlugins, tt.want) {
				t.Errorf("off are %v, want %v", allowed.DisablePlugins, tt.want)
			}
		})
	}
}

func TestDemandedPluginThatTheHostDoesNotAllowIsAnError(t *testing.T) {
	o := NewOptions()
	o.EnablePlugins = []string{"ResourceQuota"}
	_, err := allow(t.Context(), o, newGate(hostWith(nil, []string{"list resourcequotas"})))
	if err == nil || !strings.Contains(err.Error(), "demands ResourceQuota, but this server may not list v1 resourcequotas") {
		t.Errorf("got %v", err)
	}
}

// A host that does not answer must not switch admission off.
func TestHostThatDoesNotAnswerIsAnError(t *testing.T) {
	host := hostWith(nil, nil)
	host.PrependReactor("create", "selfsubjectaccessreviews", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New("timed out")
	})
	if _, err := allow(t.Context(), NewOptions(), newGate(host)); err == nil {
		t.Error("admission was set up without an answer")
	}
}

func TestOptionsHoldEveryPluginOnceInOrder(t *testing.T) {
	if errs := NewOptions().Validate(); len(errs) > 0 {
		t.Error(errs)
	}
}
