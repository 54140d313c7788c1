// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	typed "github.com/openservicemesh/mesh-apiserver/generated/clientset/versioned/typed/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/integration/harness"
)

// policyCount is what a ResourceQuota calls the number of MeshPolicies.
const policyCount = "count/meshpolicies.mesh.openservicemesh.io"

// create makes a policy that denies one namespace.
func create(ctx context.Context, policies typed.MeshPolicyInterface, name string) (*v1alpha1.MeshPolicy, error) {
	return policies.Create(ctx, &v1alpha1.MeshPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.MeshPolicySpec{
			Action: v1alpha1.PolicyActionDeny,
			Rules:  []v1alpha1.PolicyRule{{From: []v1alpha1.PolicySource{{Namespaces: []string{"bookthief"}}}}},
		},
	}, metav1.CreateOptions{})
}

// applyForTest applies manifests, and deletes what is in them at the test's end.
func applyForTest(t *testing.T, manifests string) {
	t.Helper()
	kubectl(t, manifests, "apply", "-f", "-")
	t.Cleanup(func() {
		if _, err := kube.Kubectl(context.Background(), manifests, "delete", "--ignore-not-found", "-f", "-"); err != nil {
			t.Error(err)
		}
	})
}

// The quota controller of the host finds our kinds by discovery, within 30 s.
func TestQuotaBoundsPoliciesUnderConcurrentWriters(t *testing.T) {
	const bound, writers = 5, 20
	namespace := newNamespace(t)
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "policies"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{policyCount: resource.MustParse(fmt.Sprint(bound))}},
	}
	if _, err := host.CoreV1().ResourceQuotas(namespace).Create(t.Context(), quota, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	await.Eventually(t, 2*soon, "the quota being counted", func(ctx context.Context) error {
		quota, err := host.CoreV1().ResourceQuotas(namespace).Get(ctx, "policies", metav1.GetOptions{})
		if _, counted := quota.Status.Used[policyCount]; err == nil && !counted {
			return fmt.Errorf("status is %v", quota.Status)
		}
		return err
	})
	// Until our own informer knows the quota, writes pass: the first one waits for it.
	await.Eventually(t, soon, "the quota being charged", func(ctx context.Context) error {
		return charged(ctx, namespace)
	})

	var made atomic.Int32
	var writing sync.WaitGroup
	for i := range writers {
		writing.Go(func() {
			_, err := create(t.Context(), policiesIn(namespace), fmt.Sprintf("concurrent-%d", i))
			switch {
			case err == nil:
				made.Add(1)
			case !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "exceeded quota: policies"):
				t.Errorf("refused for another reason: %v", err)
			}
		})
	}
	writing.Wait()
	if made.Load() != bound {
		t.Errorf("%d writers made %d policies, want %d", writers, made.Load(), bound)
	}
}

// charged makes a policy and takes it away, and tells whether the quota counted it.
func charged(ctx context.Context, namespace string) error {
	if _, err := create(ctx, policiesIn(namespace), "first"); err != nil {
		return err
	}
	quotas := host.CoreV1().ResourceQuotas(namespace)
	quota, err := quotas.Get(ctx, "policies", metav1.GetOptions{})
	if err != nil {
		return err
	}
	used := quota.Status.Used[policyCount]
	if err := policiesIn(namespace).Delete(ctx, "first", metav1.DeleteOptions{}); err != nil {
		return err
	}
	if used.Value() == 0 {
		return errors.New("a policy was made and not counted")
	}
	return await.Until(ctx, "the quota of a policy that was deleted", func(ctx context.Context) error {
		quota, err := quotas.Get(ctx, "policies", metav1.GetOptions{})
		if err != nil {
			return await.Never(err)
		}
		if used := quota.Status.Used[policyCount]; used.Value() != 0 {
			return fmt.Errorf("%s are used", used.String())
		}
		return nil
	})
}

func TestValidatingAdmissionPolicyDeniesAMeshPolicy(t *testing.T) {
	namespace := newNamespace(t)
	applyForTest(t, `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: `+namespace+`}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [mesh.openservicemesh.io], apiVersions: [v1alpha1], operations: [CREATE, UPDATE], resources: [meshpolicies]}
  validations:
  - expression: object.spec.action != 'Deny'
    message: this namespace denies nobody
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: `+namespace+`}
spec:
  policyName: `+namespace+`
  validationActions: [Deny]
  matchResources: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: `+namespace+`}}}
`)
	await.Eventually(t, soon, "a refusal with the policy's words", func(ctx context.Context) error {
		_, err := create(ctx, policiesIn(namespace), "deny")
		if err == nil {
			return errors.Join(errors.New("admitted"), policiesIn(namespace).Delete(ctx, "deny", metav1.DeleteOptions{}))
		}
		if !strings.Contains(err.Error(), "this namespace denies nobody") {
			return err
		}
		return nil
	})
	newPolicy(t, namespace) // one that allows is none of its business
}

func TestMutatingAdmissionPolicyChangesAMeshPolicy(t *testing.T) {
	namespace := newNamespace(t)
	applyForTest(t, `
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: `+namespace+`}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [mesh.openservicemesh.io], apiVersions: [v1alpha1], operations: [CREATE], resources: [meshpolicies]}
  reinvocationPolicy: Never
  mutations:
  - patchType: JSONPatch
    jsonPatch: {expression: '[JSONPatch{op: "add", path: "/metadata/labels", value: {"team": "books"}}]'}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: `+namespace+`}
spec:
  policyName: `+namespace+`
  matchResources: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: `+namespace+`}}}
`)
	await.Eventually(t, soon, "the policy's label", func(ctx context.Context) error {
		policy, err := create(ctx, policiesIn(namespace), "deny")
		if err != nil {
			return err
		}
		if policy.Labels["team"] != "books" {
			return errors.Join(errors.New("no label"), policiesIn(namespace).Delete(ctx, "deny", metav1.DeleteOptions{}))
		}
		return nil
	})
}

// A server without the rights of admission serves all the same, and says so.
func TestAdmissionIsOffWithoutItsRights(t *testing.T) {
	kubectl(t, "", "delete", "clusterrolebinding", "mesh-apiserver-admission")
	t.Cleanup(func() {
		if _, err := kube.Kubectl(context.Background(), "", "apply", "-f", kube.Manifest("rbac-admission.yaml")); err != nil {
			t.Error(err)
		}
	})
	sibling := server.Sibling("unprivileged", harness.SecondAddress)
	launch(t, sibling)
	if _, err := create(t.Context(), direct(t, sibling).MeshV1alpha1().MeshPolicies(newNamespace(t)), "deny"); err != nil {
		t.Errorf("a write: %v", err)
	}
	for plugin, enabled := range map[string]string{
		"NamespaceLifecycle": "1", "ResourceQuota": "0",
		"MutatingAdmissionPolicy": "0", "ValidatingAdmissionPolicy": "0",
		// The controller reads their configurations as well.
		"MutatingAdmissionWebhook": "1", "ValidatingAdmissionWebhook": "1",
	} {
		metrics, err := harness.Get(t.Context(), "http://"+sibling.Address+":9090/metrics")
		if err != nil {
			t.Fatal(err)
		}
		if line := fmt.Sprintf("mesh_admission_plugin_enabled{plugin=%q} %s\n", plugin, enabled); !strings.Contains(metrics, line) {
			t.Errorf("no line %q in metrics", line)
		}
	}
}

func TestDemandedPluginWithoutItsRightsIsNoStart(t *testing.T) {
	kubectl(t, "", "delete", "clusterrolebinding", "mesh-apiserver-admission")
	t.Cleanup(func() {
		if _, err := kube.Kubectl(context.Background(), "", "apply", "-f", kube.Manifest("rbac-admission.yaml")); err != nil {
			t.Error(err)
		}
	})
	sibling := server.Sibling("demanding", harness.SecondAddress, "--enable-admission-plugins=ResourceQuota")
	if err := sibling.Launch(); err != nil {
		t.Fatal(err)
	}
	endWithTest(t, sibling)
	ctx, cancel := context.WithTimeout(t.Context(), startTime)
	defer cancel()
	code, err := sibling.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if want := "--enable-admission-plugins demands ResourceQuota, but this server may not update v1 resourcequotas/status"; code == 0 || !strings.Contains(sibling.Log(), want) {
		t.Errorf("got exit code %d, want another than 0 and %q in\n%s", code, want, sibling.Log())
	}
}
