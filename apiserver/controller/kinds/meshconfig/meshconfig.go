// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package meshconfig reads the MeshConfig, and reports on the one in use.
package meshconfig

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/engine"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/common"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/report"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/status"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// Name is that of the kind of unit, and of the target of its status.
const Name = "meshconfig"

// Unit makes the report on the MeshConfig. It is told once everything was made with it.
var Unit = engine.Kind{
	Name:  Name,
	Watch: func(_ *world.World, changed func(string)) { changed(v1alpha1.MeshConfigName) },
	Build: func(r world.Reader, _ string, _ any) (engine.Product, error) {
		config := r.Config()
		if config == nil {
			return engine.Product{}, nil
		}
		accepted := report.Verdict{True: true, Reason: report.ReasonAccepted, Message: "the settings are in use"}
		if unusable := r.Failed(common.ID); unusable != nil {
			accepted = report.Verdict{
				Reason:  report.ReasonInvalid,
				Message: fmt.Sprintf("the settings cannot be compiled, and proxies keep what they have: %v", unusable),
			}
		}
		return engine.Product{Report: &report.Report{UID: config.UID, Generation: config.Generation, Accepted: accepted}, Last: true}, nil
	},
	Effect: "its status stays",
}

// Source reads the MeshConfig.
var Source = func() kinds.Source {
	source := kinds.Of(
		func(i kinds.Informers) cache.SharedIndexInformer {
			return i.Mesh.Mesh().V1alpha1().MeshConfigs().Informer()
		},
		(*world.World).SetConfig, (*world.World).DeleteConfig)
	source.Stored, source.Target = true, target
	return source
}()

// target is of a kind without counts: what a MeshConfig says is in all that proxies
// are sent.
func target(c kinds.Clients) status.Target {
	configs := c.Mesh.Mesh().V1alpha1().MeshConfigs().Lister()
	return status.Target{
		Kind: Name,
		Get:  func(key types.NamespacedName) (status.Object, error) { return configs.Get(key.Name) },
		Edit: func(o status.Object) (status.Object, status.Fields) {
			config := *o.(*v1alpha1.MeshConfig)
			config.Status = *config.Status.DeepCopy()
			return &config, status.Fields{Status: &config.Status, Conditions: &config.Status.Conditions}
		},
		Write: func(ctx context.Context, o status.Object) error {
			_, err := c.Client.MeshV1alpha1().MeshConfigs().UpdateStatus(ctx, o.(*v1alpha1.MeshConfig), metav1.UpdateOptions{FieldManager: status.FieldManager})
			return err
		},
	}
}
