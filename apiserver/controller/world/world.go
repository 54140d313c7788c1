// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package world is one indexed picture of what the mesh reads of a cluster: Services,
// EndpointSlices, Pods, Namespaces, ServiceAccounts, what makes kube-apiserver call
// Services, and our own kinds. Changes go in one by one, by the methods of World. It
// is read through a Reader, which records what is read: when that changes, whatever
// was made of it is dirty.
//
// A World is owned by one goroutine. The objects given to it are never changed.
package world

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/graph"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
)

// Key names an object by namespace and name.
type Key = types.NamespacedName

// World is the picture. Make it with New.
type World struct {
	graph *graph.Graph
	// derived has what readers have made, by its declaration.
	derived map[any]any

	config   *graph.Cell[*v1alpha1.MeshConfig]
	settings settings
	// roots are the certificates that workloads trust, in PEM.
	roots *graph.Cell[string]
	// systemNamespace has the administrators' policies.
	systemNamespace string

	services            *graph.Table[Key, *corev1.Service]
	servicesByNamespace *graph.Index[string, Key]
	// scrapes are what the annotations of Services say to Prometheus.
	scrapes *graph.Table[Key, Scrape]
	// claims are the Services that claim an address.
	claims *graph.Index[netip.Addr, Key]
	// headless are the Services whose endpoints callers dial themselves.
	headless *graph.Index[whole, Key]
	// selecting pairs Services with the views whose pods they select.
	selecting *graph.Join[string, Key, string]

	slices          *graph.Table[Key, *discoveryv1.EndpointSlice]
	slicesByService *graph.Index[Key, Key]
	// servicesByAddress are the Services that have an address in a slice.
	servicesByAddress *graph.Index[netip.Addr, Key]

	pods          *graph.Table[Key, *Pod]
	podsByAddress *graph.Index[netip.Addr, Key]
	podsByAccount *graph.Index[Key, Key]
	podsByMaker   *graph.Index[Maker, Key]
	// meshed are the accounts that meshed pods have at their addresses.
	meshed *graph.Index[whole, at]
	// podsIn are the meshed pods of a namespace, namespacesMeshed the namespaces
	// that have some.
	podsIn           *graph.Index[string, Key]
	namespacesMeshed *graph.Index[whole, string]
	// proxies are those of meshed pods, speaking those of pods that Speak.
	proxies, speaking *graph.Index[model.ProxyID, whole]

	views *graph.Table[string, *View]
	// viewsByNamespace has all views under "" too.
	viewsByNamespace *graph.Index[string, string]
	podsByView       *graph.Index[string, Key]
	// excluding are the pods of a view that keep ports away from their proxies.
	excluding *graph.Index[string, Key]
	// asking are the views with pods that ask to be scraped, by those pods.
	asking *graph.Index[string, Key]

	policies policies
	routes   routes

	// visibilities are of Namespaces that are in the mesh, or say who sees them.
	visibilities *graph.Table[string, visibility]
	visible      *graph.Index[whole, string]

	// traffic is what annotations of Namespaces say, by their names.
	traffic *graph.Table[string, namespaceTraffic]

	// registered is what objects by which kube-apiserver calls Services name, and
	// registrations the same by Service.
	registered    map[Reference][]registered
	registrations *graph.Index[Key, Registration]

	// known are the Namespaces and ServiceAccounts that exist.
	known *graph.Table[Reference, whole]

	// facts are what units say to others, and failures the units that could not be made.
	facts    *graph.Table[unit.ID, any]
	failures *graph.Table[unit.ID, error]
}

// whole is the key of an index that has one, and the value of a table of keys.
type whole struct{}

// at is an address, and the account of a meshed pod that holds it.
type at struct {
	address netip.Addr
	account Key
}

// New gives an empty world. trustDomain is the SPIFFE trust domain that counts
// until a MeshConfig names one: that with which a MeshConfig is made.
func New(trustDomain string) *World {
	w := &World{
		graph:               graph.New(),
		derived:             map[any]any{},
		config:              graph.NewCell[*v1alpha1.MeshConfig](nil),
		settings:            newSettings(trustDomain),
		roots:               graph.NewCell(""),
		services:            graph.NewTable[Key, *corev1.Service](),
		servicesByNamespace: graph.NewIndex[string, Key](),
		scrapes:             graph.NewTable[Key, Scrape](),
		claims:              graph.NewIndex[netip.Addr, Key](),
		headless:            graph.NewIndex[whole, Key](),
		slices:              graph.NewTable[Key, *discoveryv1.EndpointSlice](),
		servicesByAddress:   graph.NewIndex[netip.Addr, Key](),
		slicesByService:     graph.NewIndex[Key, Key](),
		pods:                graph.NewTable[Key, *Pod](),
		podsByAddress:       graph.NewIndex[netip.Addr, Key](),
		podsByAccount:       graph.NewIndex[Key, Key](),
		podsByMaker:         graph.NewIndex[Maker, Key](),
		meshed:              graph.NewIndex[whole, at](),
		podsIn:              graph.NewIndex[string, Key](),
		namespacesMeshed:    graph.NewIndex[whole, string](),
		proxies:             graph.NewIndex[model.ProxyID, whole](),
		speaking:            graph.NewIndex[model.ProxyID, whole](),
		views:               graph.NewTable[string, *View](),
		viewsByNamespace:    graph.NewIndex[string, string](),
		podsByView:          graph.NewIndex[string, Key](),
		excluding:           graph.NewIndex[string, Key](),
		asking:              graph.NewIndex[string, Key](),
		visibilities:        graph.NewTable[string, visibility](),
		visible:             graph.NewIndex[whole, string](),
		traffic:             graph.NewTable[string, namespaceTraffic](),
		registered:          map[Reference][]registered{},
		registrations:       graph.NewIndex[Key, Registration](),
		known:               graph.NewTable[Reference, whole](),
		facts:               graph.NewTable[unit.ID, any](),
		failures:            graph.NewTable[unit.ID, error](),
	}
	w.selecting = graph.NewJoin[string](w.selects)
	w.policies, w.routes = newPolicies(w), newRoutes()
	w.visibilities.OnKey(func(namespace string) {
		_, there := w.visibilities.Get(nil, namespace)
		file(w.visible, whole{}, namespace, there)
	})
	w.podsIn.OnKey(func(namespace string) {
		file(w.namespacesMeshed, whole{}, namespace, w.podsIn.Len(nil, namespace) > 0)
	})
	return w
}

// ParseKey reads what Key.String has written: "<namespace>/<name>".
func ParseKey(text string) Key {
	namespace, name, _ := strings.Cut(text, "/")
	return Key{Namespace: namespace, Name: name}
}

// Graph is that of all tables.
func (w *World) Graph() *graph.Graph { return w.graph }

// SetRoots replaces the certificates that workloads trust, in PEM.
func (w *World) SetRoots(pem []byte) { w.roots.Set(string(pem)) }

func keyOf(object metav1.Object) Key {
	return Key{Namespace: object.GetNamespace(), Name: object.GetName()}
}

func compareKeys(a, b Key) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

func sortedKeys(keys []Key) []Key {
	slices.SortFunc(keys, compareKeys)
	return keys
}

func sortedNames(names []string) []string {
	slices.Sort(names)
	return names
}
