// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/apiserver/pkg/quota/v1/generic"
	genericapiserver "k8s.io/apiserver/pkg/server"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/component-base/featuregate"
	"k8s.io/klog/v2"
)

// Apply gives the server the plugins that the host allows. The others are off,
// which the log and a metric say; but one that --enable-admission-plugins names
// is demanded, and its absence an error.
func Apply(ctx context.Context, o *genericoptions.AdmissionOptions, config *genericapiserver.RecommendedConfig, features featuregate.FeatureGate) error {
	host, err := kubernetes.NewForConfig(config.ClientConfig)
	if err != nil {
		return fmt.Errorf("make the client of admission: %w", err)
	}
	params, err := dynamic.NewForConfig(config.ClientConfig)
	if err != nil {
		return fmt.Errorf("make the client of policies' parameters: %w", err)
	}
	allowed, err := allow(ctx, o, newGate(host))
	if err != nil {
		return err
	}
	return allowed.ApplyTo(&config.Config, config.SharedInformerFactory, host, params, features, config.EffectiveVersion, quotaInitializer{})
}

// allow gives the options without the plugins that the host does not allow.
func allow(ctx context.Context, o *genericoptions.AdmissionOptions, g *gate) (*genericoptions.AdmissionOptions, error) {
	allowed := *o
	allowed.DisablePlugins = slices.Clone(o.DisablePlugins)
	for _, p := range plugins {
		if slices.Contains(o.DisablePlugins, p.name) {
			enabled.WithLabelValues(p.name).Set(0)
			continue
		}
		reason, err := g.closed(ctx, p)
		if err != nil {
			return nil, err
		}
		if reason == "" {
			enabled.WithLabelValues(p.name).Set(1)
			continue
		}
		if slices.Contains(o.EnablePlugins, p.name) {
			return nil, fmt.Errorf("--enable-admission-plugins demands %s, but %s", p.name, reason)
		}
		klog.FromContext(ctx).Info("Admission plugin is off: it does not look at mesh resources until the server starts again with what it needs",
			"plugin", p.name, "reason", reason)
		enabled.WithLabelValues(p.name).Set(0)
		allowed.DisablePlugins = append(allowed.DisablePlugins, p.name)
	}
	return &allowed, nil
}

// quotaInitializer gives the ResourceQuota plugin no evaluators, which leaves it
// with what it does for kinds that it does not know: count/RESOURCE.GROUP. What
// is there is counted by the host's quota controller, which finds aggregated
// resources by discovery.
type quotaInitializer struct{}

func (quotaInitializer) Initialize(p admission.Interface) {
	if wants, ok := p.(initializer.WantsQuotaConfiguration); ok {
		wants.SetQuotaConfiguration(generic.NewConfiguration(nil, nil))
	}
}
