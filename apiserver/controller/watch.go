// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/tools/cache"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/all"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// watchAll registers the inbox with every informer that feeds the world. The
// registrations say when the world has been told all that there was at first.
func watchAll(in *inbox, o Options) ([]cache.InformerSynced, error) {
	handlers := map[cache.SharedIndexInformer]cache.ResourceEventHandler{
		o.Host.Core().V1().ServiceAccounts().Informer(): accountHandler(in),
	}
	for _, source := range all.Sources {
		handlers[source.Informer(kinds.Informers{Host: o.Host, Mesh: o.Mesh})] = sourceHandler(in, source, kinds.Options{SystemNamespace: o.SystemNamespace})
	}
	var synced []cache.InformerSynced
	for informer, handler := range handlers {
		registration, err := informer.AddEventHandler(handler)
		if err != nil {
			return nil, fmt.Errorf("watch the world: %w", err)
		}
		synced = append(synced, registration.HasSynced)
	}
	return synced, nil
}

// sourceHandler turns what an informer sees of a kind into changes of the world.
func sourceHandler(in *inbox, source kinds.Source, o kinds.Options) cache.ResourceEventHandler {
	put := func(change kinds.Change) {
		if change != nil {
			in.put(func(s *state) {
				s.stored = s.stored || source.Stored
				change(s.World)
			})
		}
	}
	return cache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) { put(source.Set(object, o)) },
		UpdateFunc: func(before, object any) {
			if source.Same == nil || !source.Same(before, object) {
				put(source.Set(object, o))
			}
		},
		DeleteFunc: func(object any) {
			if key, err := keyOf(object); err == nil {
				put(source.Delete(key))
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
