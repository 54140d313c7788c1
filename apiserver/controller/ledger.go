// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"slices"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
)

// The kinds of unit; they are label values of metrics too, where endpoints count
// as their service.
const (
	kindCommon    = "common"
	kindService   = "service"
	kindEndpoints = "endpoints"
	kindHeadless  = "headless"
	kindAccount   = "account"
	kindDirect    = "direct"
	kindWorkload  = "workload"
	kindPolicy    = "policy"
	kindNotice    = "notice"
)

// ledger knows what each unit gave last, and so what there is to send.
type ledger struct {
	versions map[envoy.Key]string
	owners   map[envoy.Key]unit.ID
	units    map[unit.ID][]envoy.Key

	set     map[envoy.Key]envoy.Resource
	removed map[envoy.Key]struct{}
	// moved are the units that own other resources than at the last take.
	moved map[unit.ID]struct{}
}

func newLedger() *ledger {
	return &ledger{
		versions: map[envoy.Key]string{},
		owners:   map[envoy.Key]unit.ID{},
		units:    map[unit.ID][]envoy.Key{},
		set:      map[envoy.Key]envoy.Resource{},
		removed:  map[envoy.Key]struct{}{},
		moved:    map[unit.ID]struct{}{},
	}
}

// put replaces all that a unit gave before. What has the version that it had is
// not sent. A resource that another unit has taken over is left to it.
func (l *ledger) put(u unit.ID, resources []envoy.Resource) {
	old := l.units[u]
	keys := make([]envoy.Key, 0, len(resources))
	current := make(map[envoy.Key]struct{}, len(resources))
	for _, r := range resources {
		keys = append(keys, r.Key)
		current[r.Key] = struct{}{}
		if owner := l.owners[r.Key]; owner != u {
			l.moved[owner], l.moved[u] = struct{}{}, struct{}{}
		}
		l.owners[r.Key] = u
		if l.versions[r.Key] != r.Version {
			l.versions[r.Key] = r.Version
			l.set[r.Key] = r
			delete(l.removed, r.Key)
		}
	}
	for _, key := range old {
		if _, still := current[key]; !still && l.owners[key] == u {
			l.drop(key)
			l.moved[u] = struct{}{}
		}
	}
	if len(keys) == 0 {
		delete(l.units, u)
		return
	}
	l.units[u] = keys
}

func (l *ledger) drop(key envoy.Key) {
	delete(l.versions, key)
	delete(l.owners, key)
	delete(l.set, key)
	l.removed[key] = struct{}{}
}

// take gives what has changed since the last call, sorted.
func (l *ledger) take() (set []envoy.Resource, removed []envoy.Key) {
	for _, r := range l.set {
		set = append(set, r)
	}
	for key := range l.removed {
		removed = append(removed, key)
	}
	slices.SortFunc(set, func(a, b envoy.Resource) int { return compareKeys(a.Key, b.Key) })
	slices.SortFunc(removed, compareKeys)
	clear(l.set)
	clear(l.removed)
	return set, removed
}

// takeUnits gives the keys that the units own of which others are owned than at the
// last call.
func (l *ledger) takeUnits() map[unit.ID][]envoy.Key {
	delete(l.moved, unit.ID{})
	units := make(map[unit.ID][]envoy.Key, len(l.moved))
	for id := range l.moved {
		var owned []envoy.Key
		for _, key := range l.units[id] {
			if l.owners[key] == id {
				owned = append(owned, key)
			}
		}
		units[id] = owned
	}
	clear(l.moved)
	return units
}

func compareKeys(a, b envoy.Key) int {
	return cmp.Or(cmp.Compare(a.TypeURL, b.TypeURL), cmp.Compare(a.Name, b.Name), cmp.Compare(a.View, b.View))
}

func compareProxies(a, b model.ProxyID) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Pod, b.Pod), cmp.Compare(a.UID, b.UID))
}
