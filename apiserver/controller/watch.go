// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/tools/cache"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/meshpolicy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// watchAll registers the inbox with every informer that feeds the world. The
// registrations say when the world has been told all that there was at first.
func watchAll(in *inbox, o Options) ([]cache.InformerSynced, error) {
	core := o.Host.Core().V1()
	mesh := o.Mesh.Mesh().V1alpha1()
	var synced []cache.InformerSynced
	for _, source := range []struct {
		informer cache.SharedIndexInformer
		handler  cache.ResourceEventHandler
	}{
		{core.Services().Informer(), handler(in.put, (*world.World).SetService, (*world.World).DeleteService)},
		{o.Host.Discovery().V1().EndpointSlices().Informer(), handler(in.put, (*world.World).SetSlice, (*world.World).DeleteSlice)},
		{core.Pods().Informer(), handler(in.put, (*world.World).SetPod, (*world.World).DeletePod)},
		{core.ServiceAccounts().Informer(), accountHandler(in)},
		{core.Namespaces().Informer(), handler(in.put, (*world.World).SetNamespace, (*world.World).DeleteNamespace)},
		{mesh.MeshPolicies().Informer(), policyHandler(in, o.SystemNamespace)},
		{mesh.MeshConfigs().Informer(), handler(in.putStored, (*world.World).SetConfig, (*world.World).DeleteConfig)},
	} {
		registration, err := source.informer.AddEventHandler(source.handler)
		if err != nil {
			return nil, fmt.Errorf("watch the world: %w", err)
		}
		synced = append(synced, registration.HasSynced)
	}
	return synced, nil
}

// policyHandler translates MeshPolicies before the loop has them. A change of the
// status alone says nothing new.
func policyHandler(in *inbox, systemNamespace string) cache.ResourceEventHandler {
	changed := func(object any) {
		if policy, ok := object.(*v1alpha1.MeshPolicy); ok {
			access := meshpolicy.Access(policy, systemNamespace)
			in.putStored(func(s *state) { s.World.SetAccess(access) })
		}
	}
	return cache.ResourceEventHandlerFuncs{
		AddFunc: changed,
		UpdateFunc: func(before, object any) {
			old, _ := before.(*v1alpha1.MeshPolicy)
			policy, _ := object.(*v1alpha1.MeshPolicy)
			if old == nil || policy == nil || !meshpolicy.SaySame(old, policy) {
				changed(object)
			}
		},
		DeleteFunc: func(object any) {
			if key, err := keyOf(object); err == nil {
				in.putStored(func(s *state) { s.World.DeleteAccess(meshpolicy.Reference(key)) })
			}
		},
	}
}

// handler turns what an informer sees of one type into changes of the world.
func handler[T any](put func(event), set func(*world.World, T), remove func(*world.World, world.Key)) cache.ResourceEventHandler {
	return stateHandler(put, func(s *state, o T) { set(s.World, o) }, func(s *state, key world.Key) { remove(s.World, key) })
}

// stateHandler turns what an informer sees of one type into events.
func stateHandler[T any](put func(event), set func(*state, T), remove func(*state, world.Key)) cache.ResourceEventHandler {
	changed := func(object any) {
		if o, ok := object.(T); ok {
			put(func(s *state) { set(s, o) })
		}
	}
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    changed,
		UpdateFunc: func(_, object any) { changed(object) },
		DeleteFunc: func(object any) {
			if key, err := keyOf(object); err == nil {
				put(func(s *state) { remove(s, key) })
			}
		},
	}
}

// keyOf names a deleted object, of which only the key may be left.
func keyOf(object any) (world.Key, error) {
	if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
		namespace, name, err := cache.SplitMetaNamespaceKey(gone.Key)
		return world.Key{Namespace: namespace, Name: name}, err
	}
	o, err := meta.Accessor(object)
	if err != nil {
		return world.Key{}, errors.New("not an object")
	}
	return world.Key{Namespace: o.GetNamespace(), Name: o.GetName()}, nil
}
