// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/report"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// Kind is one kind of unit: how units come to be, and how one is made.
type Kind struct {
	// Name is that of unit.ID, and a label value of metrics.
	Name string
	// Watch calls changed with the name of each unit that comes or goes, now and
	// whenever the world changes.
	Watch func(w *world.World, changed func(name string))
	// Build makes a unit of what it reads, and of its own memory, nil at first. It is
	// pure: the same input gives the same product. What it reads is recorded, and a
	// change of that makes the unit anew.
	Build func(r world.Reader, name string, memory any) (Product, error)
	// Closed makes what stands in for a unit that cannot be built: it refuses. Without
	// it, or if it cannot be made either, what was made before stays.
	Closed func(r world.Reader, name string, memory any) (Product, error)
	// Effect says, for the log, what Closed means for users.
	Effect string
	// Namespace is whose a unit is, where units are many and large: those of a step wait
	// for the next if others have used up its budget. Nil says that none waits.
	Namespace func(r world.Reader, name string) string
	// SameFacts tells whether two facts mean the same to the units that read them.
	SameFacts func(a, b any) bool
	// Object is what a unit is made of, for Events about what proxies refuse of it; nil
	// where there is none.
	Object func(r world.Reader, name string) *corev1.ObjectReference
	// Remembers says that memories outlive the server.
	Remembers bool
	// Hear gives the memory of a unit of which another server has recorded other, nil for
	// nothing. It is there where Remembers is set.
	Hear func(memory, other any) any
}

// Product is what came of a unit.
type Product struct {
	// Gone says that there is no such unit any more.
	Gone bool
	// Resources are what proxies are sent.
	Resources []envoy.Resource
	// Proxy is one that may connect, or nil.
	Proxy *model.Proxy
	// Report is what there is to say in the status of the unit's object, or nil.
	// It is told when none of its Units waits.
	Report *report.Report
	// Last says that Report is told when no unit waits that did when it was made.
	Last bool
	// Notices are what there is to say of objects without a status of ours.
	Notices []Notice
	// Facts are what the unit says to units of later kinds (world.Reader.Facts).
	Facts any
	// Public is what the unit says to others than units, or nil.
	Public any
	// Memory is given to the next Build.
	Memory any
}

// Notice is something that the author of an object must see by an Event.
type Notice struct {
	About corev1.ObjectReference
	// Subject is what it is said of, where that is not About: of pods that are alike, it
	// is said of one. It is said once of a subject.
	Subject string
	// Reason is CamelCase, Message sentences without a full stop.
	Reason, Message string
	// Action is what the mesh was doing (events.k8s.io/v1).
	Action string
}
