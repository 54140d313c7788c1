// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package options

import (
	"fmt"

	openapinamer "k8s.io/apiserver/pkg/endpoints/openapi"
	genericapiserver "k8s.io/apiserver/pkg/server"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	serverstorage "k8s.io/apiserver/pkg/server/storage"
	basecompatibility "k8s.io/component-base/compatibility"

	"github.com/openservicemesh/mesh-apiserver/apis/scheme"
	"github.com/openservicemesh/mesh-apiserver/generated/openapi"
)

// Config makes the configuration of the generic API server. It connects to the
// host cluster, and to etcd, which must run already.
func (o *Options) Config() (*genericapiserver.RecommendedConfig, error) {
	config := genericapiserver.NewRecommendedConfig(scheme.Codecs)
	if err := o.Server.ApplyTo(&config.Config); err != nil {
		return nil, fmt.Errorf("apply generic options: %w", err)
	}
	// The library asks its own gates, and tells this component's version.
	config.FeatureGate = o.Recommended.FeatureGate
	config.EffectiveVersion = stampedVersion{o.registry.EffectiveVersionFor(ComponentName)}
	addOpenAPI(config)

	// The factory that RecommendedOptions would use for etcd ignores storage flags.
	// Admission asks the host first, which this configuration is for.
	recommended := *o.Recommended
	recommended.Etcd, recommended.Admission = nil, nil
	if err := recommended.ApplyTo(config); err != nil {
		return nil, fmt.Errorf("apply recommended options: %w", err)
	}
	if err := o.applyStorage(config); err != nil {
		return nil, fmt.Errorf("apply storage options: %w", err)
	}
	return config, nil
}

func addOpenAPI(config *genericapiserver.RecommendedConfig) {
	namer := openapinamer.NewDefinitionNamer(scheme.Scheme)
	config.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(openapi.GetOpenAPIDefinitions, namer)
	config.OpenAPIConfig.Info.Title = "mesh-apiserver"
	config.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(openapi.GetOpenAPIDefinitions, namer)
	config.OpenAPIV3Config.Info.Title = "mesh-apiserver"
}

func (o *Options) applyStorage(config *genericapiserver.RecommendedConfig) error {
	etcd := o.Recommended.Etcd
	storage := etcd.StorageConfig
	storage.StorageObjectCountTracker = config.StorageObjectCountTracker
	factory := serverstorage.NewDefaultStorageFactory(
		storage,
		etcd.DefaultStorageMediaType,
		scheme.Codecs,
		serverstorage.NewDefaultResourceEncodingConfigForEffectiveVersion(scheme.Scheme, o.registry.EffectiveVersionFor(basecompatibility.DefaultKubeComponent)),
		serverstorage.NewResourceConfig(),
		nil,
	)
	overrides, err := genericoptions.ParseEtcdServersOverrides(etcd.EtcdServersOverrides)
	if err != nil {
		return err
	}
	for _, override := range overrides {
		factory.SetEtcdLocation(override.GroupResource, override.Servers)
	}
	return etcd.ApplyWithStorageFactoryTo(factory, &config.Config)
}
