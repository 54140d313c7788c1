// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package kinds describes the kinds of objects that the controller reads. Each has a
// folder here, and so has each thing that is compiled; all lists them.
package kinds

import (
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/status"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/telemetry"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
	"github.com/openservicemesh/mesh-apiserver/generated/clientset/versioned"
	"github.com/openservicemesh/mesh-apiserver/generated/informers/externalversions"
)

// Source is a kind of object that is read.
type Source struct {
	// Informer gives the informer of the kind.
	Informer func(Informers) cache.SharedIndexInformer
	// Stored is true of kinds that are in the server's own database.
	Stored bool
	// Set gives what an object changes in the world, nil if it is of another kind. It
	// runs beside the loop that owns the world.
	Set func(object any, o Options) Change
	// Delete gives what changes when an object is gone.
	Delete func(world.Key) Change
	// Same tells whether two versions of an object say the same. Nil: the change finds out.
	Same func(before, object any) bool
	// Target says how the status of an object is read and written; nil if it has none of
	// ours. Its Kind is the name of the units (engine.Kind) whose reports it takes.
	Target func(Clients) status.Target
}

// Change is what an object changes in the world.
type Change func(*world.World)

// Options are what a Source has to know beside the object.
type Options struct {
	// SystemNamespace has the policies that apply to every namespace.
	SystemNamespace string
}

// Informers are where objects come from.
type Informers struct {
	Host informers.SharedInformerFactory
	Mesh externalversions.SharedInformerFactory
}

// Clients are what status is read and written with.
type Clients struct {
	Informers
	Client versioned.Interface
	// Audits is what proxies have counted of Audit policies.
	Audits Audits
}

// Audits is what proxies have counted of Audit policies.
type Audits interface {
	// Counts gives those of a policy, "<namespace>/<name>".
	Counts(policy string) telemetry.Counts
	// Forget drops them.
	Forget(policy string)
}

// Of makes a Source of objects that the world takes as they are.
func Of[T any](informer func(Informers) cache.SharedIndexInformer, set func(*world.World, T), remove func(*world.World, types.NamespacedName)) Source {
	return Source{
		Informer: informer,
		Set: func(object any, _ Options) Change {
			o, ok := object.(T)
			if !ok {
				return nil
			}
			return func(w *world.World) { set(w, o) }
		},
		Delete: func(key world.Key) Change { return func(w *world.World) { remove(w, key) } },
	}
}
