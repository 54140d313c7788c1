// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// watch turns what an informer sees into events for the inbox.
func watch[T metav1.Object](in *inbox, informer cache.SharedIndexInformer, set func(*world.World, T), remove func(*world.World, world.Key)) (cache.ResourceEventHandlerRegistration, error) {
	changed := func(object any) {
		if o, ok := object.(T); ok {
			in.put(func(w *world.World) { set(w, o) })
		}
	}
	return informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    changed,
		UpdateFunc: func(_, object any) { changed(object) },
		DeleteFunc: func(object any) {
			if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
				object = gone.Obj
			}
			if o, ok := object.(T); ok {
				key := world.Key{Namespace: o.GetNamespace(), Name: o.GetName()}
				in.put(func(w *world.World) { remove(w, key) })
			}
		},
	})
}

// watchAll registers the controller with every informer that feeds the world.
func (c *Controller) watchAll(o Options) error {
	core, mesh := o.Host, o.Mesh
	for _, register := range []func() (cache.ResourceEventHandlerRegistration, error){
		func() (cache.ResourceEventHandlerRegistration, error) {
			return watch(c.inbox, core.Core().V1().Services().Informer(), func(w *world.World, s *corev1.Service) { w.SetService(s) }, (*world.World).DeleteService)
		},
		func() (cache.ResourceEventHandlerRegistration, error) {
			return watch(c.inbox, core.Discovery().V1().EndpointSlices().Informer(), func(w *world.World, s *discoveryv1.EndpointSlice) { w.SetSlice(s) }, (*world.World).DeleteSlice)
		},
		func() (cache.ResourceEventHandlerRegistration, error) {
			return watch(c.inbox, core.Core().V1().Pods().Informer(), func(w *world.World, p *corev1.Pod) { w.SetPod(p) }, (*world.World).DeletePod)
		},
		func() (cache.ResourceEventHandlerRegistration, error) {
			return watch(c.inbox, core.Core().V1().ServiceAccounts().Informer(), setServiceAccount, (*world.World).DeleteServiceAccount)
		},
		func() (cache.ResourceEventHandlerRegistration, error) {
			return watch(c.inbox, core.Core().V1().Namespaces().Informer(), setNamespace, deleteNamespace)
		},
		func() (cache.ResourceEventHandlerRegistration, error) {
			return watch(c.inbox, mesh.Mesh().V1alpha1().MeshPolicies().Informer(), func(w *world.World, p *v1alpha1.MeshPolicy) { w.SetPolicy(p) }, (*world.World).DeletePolicy)
		},
		func() (cache.ResourceEventHandlerRegistration, error) {
			return watch(c.inbox, mesh.Mesh().V1alpha1().MeshConfigs().Informer(), func(w *world.World, m *v1alpha1.MeshConfig) { w.SetConfig(m) }, deleteConfig)
		},
	} {
		registration, err := register()
		if err != nil {
			return fmt.Errorf("watch the world: %w", err)
		}
		c.synced = append(c.synced, registration.HasSynced)
	}
	return nil
}
