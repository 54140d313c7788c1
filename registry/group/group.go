// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package group serves API groups that are lists of kinds.
package group

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"

	"github.com/openservicemesh/mesh-apiserver/registry/kind"
)

// Group is an API group that the server serves in every version that the scheme
// has of it.
type Group struct {
	Name  string
	Kinds []kind.Kind
}

// APIServices names the objects by which kube-aggregator sends requests for the
// groups here, one for each version.
func APIServices(groups []Group, scheme *runtime.Scheme) []string {
	var names []string
	for _, g := range groups {
		for _, version := range scheme.PrioritizedVersionsForGroup(g.Name) {
			names = append(names, version.Version+"."+version.Group)
		}
	}
	return names
}

// Infos are the groups with the storage of all their kinds.
func Infos(groups []Group, scheme *runtime.Scheme, options generic.RESTOptionsGetter) ([]*genericapiserver.APIGroupInfo, error) {
	var infos []*genericapiserver.APIGroupInfo
	for _, g := range groups {
		info, err := g.info(scheme, options)
		if err != nil {
			return nil, fmt.Errorf("make the group %s: %w", g.Name, err)
		}
		infos = append(infos, info)
	}
	return infos, nil
}

// info makes the storage of a kind that several versions have once.
func (g Group) info(scheme *runtime.Scheme, options generic.RESTOptionsGetter) (*genericapiserver.APIGroupInfo, error) {
	codecs := serializer.NewCodecFactory(scheme)
	info := genericapiserver.NewDefaultAPIGroupInfo(g.Name, scheme, runtime.NewParameterCodec(scheme), codecs)
	info.NegotiatedSerializer = explainingSerializer{codecs, scheme}
	for _, version := range info.PrioritizedVersions {
		info.VersionedResourcesStorageMap[version.Version] = map[string]rest.Storage{}
	}
	for _, k := range g.Kinds {
		storage, err := k.Storage(scheme, options)
		if err != nil {
			return nil, err
		}
		for resource, served := range storage {
			kinds, _, err := scheme.ObjectKinds(served.New())
			if err != nil {
				return nil, fmt.Errorf("find the kind of %s: %w", resource, err)
			}
			for _, version := range info.PrioritizedVersions {
				if scheme.Recognizes(version.WithKind(kinds[0].Kind)) {
					info.VersionedResourcesStorageMap[version.Version][resource] = served
				}
			}
		}
	}
	return &info, nil
}
