// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/test/await"
)

// The tests here change the whole mesh: none is parallel.

func TestDefaultDenyAdmitsOnlyWhomAPolicyAdmits(t *testing.T) {
	shop := live.Shop(t)
	wantGet(t, thief, "200", shop.URL("/books"))
	live.Configure(t, `{"spec":{"traffic":{"access":"DefaultDeny"}}}`)
	wantGet(t, buyer, "403", shop.URL("/books"))
	live.Policy(t, shop.Namespace, "readers", admit(buyer))
	wantGet(t, buyer, "200", shop.URL("/books"))
	wantGet(t, thief, "403", shop.URL("/books"))
	held := buyer.Watch(t, "hold", shop.Echo())
	held.Await(t, soon, "closed after 0 bytes", "new")

	live.Configure(t, `{"spec":{"traffic":{"access":"Open"}}}`)
	held.Await(t, soon, "echo", "new")
	wantGet(t, thief, "403", shop.URL("/books"))
}

func TestADeletedMeshConfigIsMadeAnew(t *testing.T) {
	configs := live.Mesh.MeshV1alpha1().MeshConfigs()
	live.Configure(t, `{"spec":{"sidecar":{"concurrency":7}}}`)
	before, err := configs.Get(t.Context(), v1alpha1.MeshConfigName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := configs.Delete(t.Context(), v1alpha1.MeshConfigName, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	await.State(t, soon, func() (string, bool) {
		after, err := configs.Get(t.Context(), v1alpha1.MeshConfigName, metav1.GetOptions{})
		if err != nil {
			return err.Error(), false
		}
		return "the old one is still there", after.UID != before.UID && *after.Spec.Sidecar.Concurrency == 2
	})
}

func TestUnmeshedSaysWhetherServicesOutsideAreReached(t *testing.T) {
	url := live.Expose(t, outsider)
	wantGet(t, buyer, "200", url)
	live.Configure(t, `{"spec":{"traffic":{"unmeshed":"Refuse"}}}`)
	wantGet(t, buyer, "503", url)
	live.Configure(t, `{"spec":{"traffic":{"unmeshed":"Allow"}}}`)
	wantGet(t, buyer, "200", url)
}

func TestEgressSaysWhetherNamelessAddressesAreReached(t *testing.T) {
	url := "http://" + outsider.IP + ":8080/"
	wantGet(t, buyer, "200", url)
	live.Configure(t, `{"spec":{"traffic":{"egress":"Refuse"}}}`)
	wantGet(t, buyer, "no answer", url)
	wantGet(t, buyer, "200", "--insecure", "https://kubernetes.default/livez")
	live.Configure(t, `{"spec":{"traffic":{"egress":"Passthrough"}}}`)
	wantGet(t, buyer, "200", url)
}
