// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package rest maps the group mesh.openservicemesh.io to its storage.
package rest

import (
	"fmt"

	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apis/scheme"
	"github.com/openservicemesh/mesh-apiserver/registry/mesh/meshconfig"
	"github.com/openservicemesh/mesh-apiserver/registry/mesh/meshpolicy"
)

// Config is what the strategies must know beside the objects themselves.
type Config struct {
	// SystemNamespace is the namespace that the mesh itself lives in.
	SystemNamespace string
	// References tells what exists in the cluster, for warnings. It may be nil.
	References meshpolicy.References
}

// NewStorage gives the group with every version and resource of it.
func NewStorage(optsGetter generic.RESTOptionsGetter, config Config) (genericapiserver.APIGroupInfo, error) {
	group := genericapiserver.NewDefaultAPIGroupInfo(mesh.GroupName, scheme.Scheme, scheme.ParameterCodec, scheme.Codecs)
	group.NegotiatedSerializer = explainingSerializer{scheme.Codecs}
	storage, err := v1alpha1Storage(optsGetter, config)
	if err != nil {
		return genericapiserver.APIGroupInfo{}, err
	}
	group.VersionedResourcesStorageMap[v1alpha1.SchemeGroupVersion.Version] = storage
	return group, nil
}

func v1alpha1Storage(optsGetter generic.RESTOptionsGetter, config Config) (map[string]rest.Storage, error) {
	policies, policyStatus, err := meshpolicy.NewREST(optsGetter, meshpolicy.Config{
		SystemNamespace: config.SystemNamespace,
		References:      config.References,
	})
	if err != nil {
		return nil, fmt.Errorf("make the storage of meshpolicies: %w", err)
	}
	configs, configStatus, err := meshconfig.NewREST(optsGetter)
	if err != nil {
		return nil, fmt.Errorf("make the storage of meshconfigs: %w", err)
	}
	return map[string]rest.Storage{
		"meshpolicies":        policies,
		"meshpolicies/status": policyStatus,
		"meshconfigs":         configs,
		"meshconfigs/status":  configStatus,
	}, nil
}
