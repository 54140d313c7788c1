// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"cmp"
	"maps"
	"slices"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/graph"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// The lists here are of all that there is. They are for whoever shows it, and are not
// recorded.

// Services gives the names of all Services, sorted.
func (w *World) Services() []Key { return keysOf(w.services, compareKeys) }

// Accounts gives the accounts of all meshed pods, sorted.
func (w *World) Accounts() []Key { return slices.SortedFunc(w.podsByAccount.Keys(), compareKeys) }

// Views gives the names of all views, sorted.
func (w *World) Views() []string { return keysOf(w.views, cmp.Compare[string]) }

// Policies gives where all policies come from, sorted.
func (w *World) Policies() []Reference { return keysOf(w.policies.all, compareReferences) }

// Namespaces gives those of which anything is known about who sees them, sorted.
func (w *World) Namespaces() []string { return keysOf(w.visibilities, cmp.Compare[string]) }

// Proxies gives the names of all proxies, in no order.
func (w *World) Proxies() []model.ProxyID { return slices.Collect(w.proxies.Keys()) }

func keysOf[K comparable, V any](table *graph.Table[K, V], compare func(a, b K) int) []K {
	return slices.SortedFunc(maps.Keys(maps.Collect(table.All())), compare)
}
