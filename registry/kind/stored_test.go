// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kind_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apis/scheme"
	"github.com/openservicemesh/mesh-apiserver/generated/clientset/versioned"
	"github.com/openservicemesh/mesh-apiserver/registry/group"
	"github.com/openservicemesh/mesh-apiserver/registry/kind"
	"github.com/openservicemesh/mesh-apiserver/registry/mesh/meshconfig"
	"github.com/openservicemesh/mesh-apiserver/registry/registrytest"
)

func TestKindWithoutAStatusHasNoSubresource(t *testing.T) {
	k := meshconfig.Kind
	k.Status, k.ValidateStatus = nil, nil
	server := registrytest.Start(t, scheme.Scheme, group.Group{Name: mesh.GroupName, Kinds: []kind.Kind{k}})
	client, err := versioned.NewForConfig(server.Client)
	if err != nil {
		t.Fatal(err)
	}
	list, err := client.Discovery().ServerResourcesForGroupVersion(v1alpha1.SchemeGroupVersion.String())
	if err != nil {
		t.Fatal(err)
	}
	if len(list.APIResources) != 1 || list.APIResources[0].Name != "meshconfigs" {
		t.Errorf("served: %v", list.APIResources)
	}
	configs := client.MeshV1alpha1().MeshConfigs()
	config, err := configs.Create(t.Context(), v1alpha1.NewDefaultMeshConfig(), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	config.Spec.Traffic.Access = v1alpha1.AccessDefaultDeny
	if config, err = configs.Update(t.Context(), config, metav1.UpdateOptions{}); err != nil || config.Generation != 2 {
		t.Errorf("update: generation %d, %v", config.Generation, err)
	}
}
