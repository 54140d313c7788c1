// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/e2e/cluster"
)

const bookstore = "../../artifacts/bookstore/"

// The demo's own manifests and policies. They go afterwards, unless a demo is up.
func TestTheBookstoreObeysItsPolicies(t *testing.T) {
	t.Parallel()
	_, err := live.Core.CoreV1().Namespaces().Get(t.Context(), "bookstore", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		t.Cleanup(func() {
			if _, err := live.Kubectl(context.Background(), "", "delete", "--wait=false", "-k", bookstore+"manifests"); err != nil {
				t.Error(err)
			}
		})
	}
	kubectl(t, "", "apply", "-k", bookstore+"manifests")
	kubectl(t, "", "delete", "meshpolicies", "--all", "-n", "bookstore")
	kubectl(t, "", "delete", "meshpolicies", "--all", "-n", "bookwarehouse")
	buyer, thief := deployed(t, "bookbuyer"), deployed(t, "bookthief")
	const books = "http://bookstore.bookstore:14001/books/1"
	wantGet(t, buyer, "200", books)
	wantGet(t, thief, "200", books)

	for _, policy := range []string{"bookstore-readers", "bookwarehouse-stock"} {
		kubectl(t, "", "apply", "-f", bookstore+"policies/"+policy+".yaml")
	}
	kubectl(t, "", "wait", "--for=condition=Programmed", "--timeout="+soon.String(), "-n", "bookstore", "meshpolicy/bookstore-readers")
	wantGet(t, buyer, "200", books)
	wantGet(t, thief, "403", books)
	wantGet(t, buyer, "403", "http://bookstore.bookstore:14001/admin")
}

// deployed waits for the pod of a Deployment in the namespace of its name.
func deployed(t *testing.T, name string) *cluster.Pod {
	t.Helper()
	var pod *cluster.Pod
	await.State(t, 2*time.Minute, func() (string, bool) {
		var err error
		pod, err = live.Find(t.Context(), name, name)
		if err != nil {
			return err.Error(), false
		}
		return "", true
	})
	return pod
}
