// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/util/retry"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	meshapply "github.com/openservicemesh/mesh-apiserver/generated/applyconfiguration/mesh/v1alpha1"
	typed "github.com/openservicemesh/mesh-apiserver/generated/clientset/versioned/typed/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/test/await"
)

// readers is the policy that the tests begin with.
const readers = `
apiVersion: mesh.openservicemesh.io/v1alpha1
kind: MeshPolicy
metadata: {name: readers}
spec:
  targetRefs: [{kind: Service, name: bookstore}]
  action: Allow
  rules:
  - name: read
    from: [{serviceAccounts: [{namespace: bookbuyer, name: bookbuyer}]}]
    to:
    - ports: [14001]
      http: {methods: [GET], paths: [{type: PathPrefix, value: /books}]}
`

// newNamespace makes a namespace that goes at the test's end.
func newNamespace(t *testing.T) string {
	t.Helper()
	return newLabelledNamespace(t, nil)
}

// newLabelledNamespace is newNamespace with labels from its beginning: those that
// came later would be known to kube-apiserver's admission a moment later.
func newLabelledNamespace(t *testing.T, labels map[string]string) string {
	t.Helper()
	namespace, err := host.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "books-", Labels: labels}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := host.CoreV1().Namespaces().Delete(context.Background(), namespace.Name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			t.Error(err)
		}
	})
	return namespace.Name
}

func policiesIn(namespace string) typed.MeshPolicyInterface {
	return client.MeshV1alpha1().MeshPolicies(namespace)
}

// kubectl runs the real one and fails the test if it fails.
func kubectl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := kube.Kubectl(t.Context(), stdin, args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v", strings.Join(args, " "), err)
	}
	return out
}

// newPolicy makes the policy readers by kubectl and reads it back.
func newPolicy(t *testing.T, namespace string) *v1alpha1.MeshPolicy {
	t.Helper()
	kubectl(t, readers, "create", "-n", namespace, "-f", "-")
	policy, err := policiesIn(namespace).Get(t.Context(), "readers", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

func TestCreateDefaultsAndStartsAGeneration(t *testing.T) {
	policy := newPolicy(t, newNamespace(t))
	if policy.Generation != 1 {
		t.Errorf("got generation %d, want 1", policy.Generation)
	}
	if policy.Spec.Mode != v1alpha1.PolicyModeEnforce {
		t.Errorf("got mode %q, want the default", policy.Spec.Mode)
	}
}

func TestUpdateRaisesGenerationAndLeavesStatusAlone(t *testing.T) {
	namespace := newNamespace(t)
	stale := newPolicy(t, namespace)
	edit := func(policy *v1alpha1.MeshPolicy) {
		policy.Spec.Action = v1alpha1.PolicyActionDeny
		policy.Status.Proxies = &v1alpha1.ProxyCounts{Affected: 777, Acked: 777}
	}
	updated := update(t, namespace, edit, policiesIn(namespace).Update)
	if updated.Generation != 2 || updated.Spec.Action != v1alpha1.PolicyActionDeny {
		t.Errorf("got generation %d, action %s; want 2, Deny", updated.Generation, updated.Spec.Action)
	}
	if counts := updated.Status.Proxies; counts != nil && counts.Affected == 777 {
		t.Errorf("a write of the policy changed its status to %+v", updated.Status)
	}
	if _, err := policiesIn(namespace).Update(t.Context(), stale, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		t.Errorf("update with an old resourceVersion: got %v, want a conflict", err)
	}
}

func TestStatusIsWrittenApartFromSpec(t *testing.T) {
	namespace := newNamespace(t)
	newPolicy(t, namespace)
	edit := func(policy *v1alpha1.MeshPolicy) {
		policy.Spec.Action = v1alpha1.PolicyActionDeny
		policy.Labels = map[string]string{"by": "status"}
		policy.Status.Proxies = &v1alpha1.ProxyCounts{Affected: 777, Acked: 777}
	}
	updated := update(t, namespace, edit, policiesIn(namespace).UpdateStatus)
	if updated.Generation != 1 || updated.Spec.Action != v1alpha1.PolicyActionAllow || len(updated.Labels) != 0 {
		t.Errorf("got generation %d, action %s, labels %v; want what was there", updated.Generation, updated.Spec.Action, updated.Labels)
	}
	if counts := updated.Status.Proxies; counts == nil || counts.Affected != 777 {
		t.Errorf("got counts %+v, want 777", counts)
	}
}

// update edits the policy readers, again if the mesh wrote its status meanwhile.
func update(t *testing.T, namespace string, edit func(*v1alpha1.MeshPolicy),
	write func(context.Context, *v1alpha1.MeshPolicy, metav1.UpdateOptions) (*v1alpha1.MeshPolicy, error)) *v1alpha1.MeshPolicy {
	t.Helper()
	var updated *v1alpha1.MeshPolicy
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		policy, err := policiesIn(namespace).Get(t.Context(), "readers", metav1.GetOptions{})
		if err != nil {
			return err
		}
		edit(policy)
		updated, err = write(t.Context(), policy, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return updated
}

func TestFieldSelectorsChooseByNameAndRefuseTheRest(t *testing.T) {
	namespace := newNamespace(t)
	newPolicy(t, namespace)
	kubectl(t, strings.Replace(readers, "name: readers", "name: others", 1), "create", "-n", namespace, "-f", "-")
	list, err := policiesIn(namespace).List(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=others"})
	if err != nil || len(list.Items) != 1 || list.Items[0].Name != "others" {
		t.Errorf("got %v (%v), want the policy others alone", list, err)
	}
	_, err = policiesIn(namespace).List(t.Context(), metav1.ListOptions{FieldSelector: "spec.action=Allow"})
	if !apierrors.IsBadRequest(err) || !strings.Contains(err.Error(), "spec.action") {
		t.Errorf("got %v, want that spec.action is no field to select by", err)
	}
}

func TestServerSideApplyOwnsFields(t *testing.T) {
	namespace := newNamespace(t)
	kubectl(t, readers, "apply", "--server-side", "--field-manager=alice", "-n", namespace, "-f", "-")
	other := strings.Replace(readers, "action: Allow", "action: Deny", 1)

	out, err := kube.Kubectl(t.Context(), other, "apply", "--server-side", "--field-manager=bob", "-n", namespace, "-f", "-")
	if err == nil || !strings.Contains(out, `conflict with "alice"`) || !strings.Contains(out, ".spec.action") {
		t.Errorf("bob's apply: got %v, want a conflict with alice over .spec.action", err)
	}
	kubectl(t, other, "apply", "--server-side", "--field-manager=bob", "--force-conflicts", "-n", namespace, "-f", "-")
	policy, err := policiesIn(namespace).Get(t.Context(), "readers", metav1.GetOptions{})
	if err != nil || policy.Spec.Action != v1alpha1.PolicyActionDeny {
		t.Errorf("after a forced apply: got %v (%v), want action Deny", policy, err)
	}
}

func TestPatchesOfEveryKind(t *testing.T) {
	namespace := newNamespace(t)
	newPolicy(t, namespace)
	for _, patch := range []struct {
		kind types.PatchType
		body string
	}{
		{types.MergePatchType, `{"metadata":{"labels":{"by":"merge"}}}`},
		{types.StrategicMergePatchType, `{"metadata":{"labels":{"by":"strategic"}}}`},
		{types.JSONPatchType, `[{"op":"replace","path":"/metadata/labels/by","value":"json"}]`},
	} {
		if _, err := policiesIn(namespace).Patch(t.Context(), "readers", patch.kind, []byte(patch.body), metav1.PatchOptions{}); err != nil {
			t.Errorf("%s: %v", patch.kind, err)
		}
	}
	labels := meshapply.MeshPolicy("readers", namespace).WithLabels(map[string]string{"applied": "yes"})
	policy, err := policiesIn(namespace).Apply(t.Context(), labels, metav1.ApplyOptions{FieldManager: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if policy.Labels["by"] != "json" || policy.Labels["applied"] != "yes" || policy.Generation != 1 {
		t.Errorf("got labels %v at generation %d, want all patches at 1", policy.Labels, policy.Generation)
	}
}

func TestWatchTellsOfEveryChange(t *testing.T) {
	namespace := newNamespace(t)
	watcher, err := policiesIn(namespace).Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Stop()
	newPolicy(t, namespace)
	kubectl(t, "", "label", "-n", namespace, "meshpolicy/readers", "seen=yes")
	kubectl(t, "", "delete", "-n", namespace, "mp/readers")

	labelled := false
	for deadline := time.After(soon); ; {
		select {
		case event := <-watcher.ResultChan():
			policy, ok := event.Object.(*v1alpha1.MeshPolicy)
			if !ok || policy.Name != "readers" {
				t.Fatalf("got %s of %v, want events of readers", event.Type, event.Object)
			}
			labelled = labelled || policy.Labels["seen"] == "yes"
			if event.Type == watch.Deleted {
				if !labelled {
					t.Error("the deletion came without the change before it")
				}
				return
			}
		case <-deadline:
			t.Fatalf("no event of the deletion within %s", soon)
		}
	}
}

func TestTableHasUsefulColumns(t *testing.T) {
	namespace := newNamespace(t)
	newPolicy(t, namespace)
	columns := strings.Fields("NAME ACTION MODE TARGETS RULES ACCEPTED PROXIES AGE")
	if out := kubectl(t, "", "get", "-n", namespace, "mesh"); !hasLine(out, func(line string) bool {
		return slices.Equal(strings.Fields(line), columns)
	}) {
		t.Errorf("no line has the columns %v:\n%s", columns, out)
	}
	row := strings.Join(strings.Fields(kubectl(t, "", "get", "-n", namespace, "mp", "readers", "--no-headers")), " ")
	if !strings.HasPrefix(row, "readers Allow Enforce ") || !strings.Contains(row, "bookstore") {
		t.Errorf("got row %q", row)
	}
}

func hasLine(text string, match func(string) bool) bool {
	return slices.ContainsFunc(strings.Split(text, "\n"), match)
}

func TestExplainTeachesFields(t *testing.T) {
	for path, want := range map[string]string{
		"meshpolicy.spec.rules":         "from",
		"meshpolicy.spec.rules.to.http": "methods",
		"meshconfig.spec.traffic":       "DefaultDeny",
	} {
		await.Eventually(t, 2*soon, "explain "+path, func(ctx context.Context) error {
			out, err := kube.Kubectl(ctx, "", "explain", path)
			if err == nil && !strings.Contains(out, want) {
				t.Fatalf("explain %s does not speak of %s:\n%s", path, want, out)
			}
			return err
		})
	}
}

func TestDeleteCollection(t *testing.T) {
	namespace := newNamespace(t)
	newPolicy(t, namespace)
	kubectl(t, strings.Replace(readers, "name: readers", "name: others", 1), "create", "-n", namespace, "-f", "-")
	if err := policiesIn(namespace).DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		t.Fatal(err)
	}
	list, err := policiesIn(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) != 0 {
		t.Errorf("got %d policies (%v), want none", len(list.Items), err)
	}
}

func TestDryRunStoresNothing(t *testing.T) {
	namespace := newNamespace(t)
	kubectl(t, readers, "create", "--dry-run=server", "-n", namespace, "-f", "-")
	if _, err := policiesIn(namespace).Get(t.Context(), "readers", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("got %v, want not found", err)
	}
}

func TestNamespaceWithPoliciesGoesCleanly(t *testing.T) {
	namespace := newNamespace(t)
	newPolicy(t, namespace)
	if err := host.CoreV1().Namespaces().Delete(t.Context(), namespace, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	await.Eventually(t, soon, "the end of the namespace", func(ctx context.Context) error {
		left, err := host.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		return fmt.Errorf("it is still there: %+v", left.Status)
	})
	if _, err := policiesIn(namespace).Get(t.Context(), "readers", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("policy of a namespace that is gone: got %v, want not found", err)
	}
}

func TestNoPolicyInANamespaceThatIsNotThere(t *testing.T) {
	out, err := kube.Kubectl(t.Context(), readers, "create", "-n", "nowhere", "-f", "-")
	if err == nil || !strings.Contains(out, `namespaces "nowhere" not found`) {
		t.Errorf("got %v, want that the namespace is not found", err)
	}
}
