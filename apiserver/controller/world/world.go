// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package world is one indexed picture of what the mesh reads of a cluster:
// Services, EndpointSlices, Pods, Namespaces, ServiceAccounts, what makes
// kube-apiserver call Services, and our own kinds. Changes go in one by one; TakeDirty says what has to be compiled anew
// because of them, so that work is in proportion to what changed and to whom it
// concerns.
//
// A World is owned by one goroutine. The objects given to it are never changed.
package world

import (
	"cmp"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/intent"
)

// Key names an object by namespace and name.
type Key = types.NamespacedName

// World is the picture. Make it with New.
type World struct {
	config *v1alpha1.MeshConfig
	// trustDomain is the one that a MeshConfig named last, at first that of New.
	trustDomain string
	// systemNamespace has the server, and the administrators' policies.
	systemNamespace string

	services            map[Key]*corev1.Service
	servicesByNamespace index[string, Key]
	// claims are the Services that claim an address.
	claims index[netip.Addr, Key]

	// headless are the Services whose endpoints callers dial themselves.
	headless map[Key]struct{}

	slices          map[Key]*discoveryv1.EndpointSlice
	slicesByService index[Key, Key]
	slicesByAddress index[netip.Addr, Key]
	slicesByPod     index[Key, Key]

	pods          map[Key]*Pod
	podsByAddress index[netip.Addr, Key]
	podsByAccount index[Key, Key]
	podsByMaker   index[Maker, Key]

	views            map[string]*View
	viewsByNamespace index[string, string]
	podsByView       index[string, Key]
	// excluding are the pods of a view that keep ports away from their proxies.
	excluding index[string, Key]

	// policies are what objects say of access, by where they come from.
	policies            map[Reference]*intent.Access
	policiesByScope     index[string, Reference]
	policiesByReference index[Reference, Reference]
	// sorted are the policies of a scope by name, forgotten when one changes.
	sorted map[string][]*intent.Access
	// derived is what readers have made of a policy, see Derived.
	derived map[*intent.Access]any

	// visibilities are of Namespaces that are in the mesh, or say who sees them.
	visibilities map[string]visibility
	// restrictedNames are kept until they may differ: nil then.
	restrictedNames []string

	// traffic is what annotations of Namespaces say, by their names.
	traffic map[string]namespaceTraffic

	// registered is what objects by which kube-apiserver calls Services name, and
	// registrations the same by Service.
	registered    map[Reference][]registered
	registrations index[Key, Registration]

	// known are the Namespaces and ServiceAccounts that exist.
	known map[Reference]struct{}

	dirty Dirty
}

// New gives an empty world. trustDomain is the SPIFFE trust domain that counts
// until a MeshConfig names one: that with which a MeshConfig is made.
func New(trustDomain string) *World {
	return &World{
		trustDomain:         trustDomain,
		services:            map[Key]*corev1.Service{},
		servicesByNamespace: index[string, Key]{},
		claims:              index[netip.Addr, Key]{},
		headless:            map[Key]struct{}{},
		slices:              map[Key]*discoveryv1.EndpointSlice{},
		slicesByService:     index[Key, Key]{},
		slicesByAddress:     index[netip.Addr, Key]{},
		slicesByPod:         index[Key, Key]{},
		pods:                map[Key]*Pod{},
		podsByAddress:       index[netip.Addr, Key]{},
		podsByAccount:       index[Key, Key]{},
		podsByMaker:         index[Maker, Key]{},
		views:               map[string]*View{},
		viewsByNamespace:    index[string, string]{},
		podsByView:          index[string, Key]{},
		excluding:           index[string, Key]{},
		policies:            map[Reference]*intent.Access{},
		policiesByScope:     index[string, Reference]{},
		policiesByReference: index[Reference, Reference]{},
		visibilities:        map[string]visibility{},
		traffic:             map[string]namespaceTraffic{},
		sorted:              map[string][]*intent.Access{},
		derived:             map[*intent.Access]any{},
		registered:          map[Reference][]registered{},
		registrations:       index[Key, Registration]{},
		known:               map[Reference]struct{}{},
		dirty:               newDirty(),
	}
}

func keyOf(object metav1.Object) Key {
	return Key{Namespace: object.GetNamespace(), Name: object.GetName()}
}

func compareKeys(a, b Key) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}
