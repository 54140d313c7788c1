// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity"
	listers "github.com/openservicemesh/mesh-apiserver/generated/listers/mesh/v1alpha1"
)

// settings reads MeshConfig for those who do not know the API's types.
type settings struct {
	configs listers.MeshConfigLister
}

// meshConfig fails until the informers are there, and in the moment between a
// deletion of the MeshConfig and its making anew.
func (s settings) meshConfig() (*v1alpha1.MeshConfig, error) {
	config, err := s.configs.Get(v1alpha1.MeshConfigName)
	if err != nil {
		return nil, fmt.Errorf("read MeshConfig %s: %w", v1alpha1.MeshConfigName, err)
	}
	return config, nil
}

// certificates are zero while MeshConfig is not known: nothing is issued then.
func (s settings) certificates() identity.Settings {
	config, err := s.meshConfig()
	if err != nil {
		return identity.Settings{}
	}
	return identity.Settings{
		TrustDomain: config.Spec.Certificate.TrustDomain,
		Lifetime:    config.Spec.Certificate.Lifetime.Duration,
	}
}
