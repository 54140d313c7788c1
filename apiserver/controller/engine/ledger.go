// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"maps"
	"reflect"
	"slices"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
)

// ledger knows what each unit gave last, and so what there is to send and to tell.
type ledger struct {
	versions map[envoy.Key]string
	owners   map[envoy.Key]unit.ID
	units    map[unit.ID][]envoy.Key

	set     map[envoy.Key]envoy.Resource
	removed map[envoy.Key]struct{}
	// moved are the units that own other resources than at the last take.
	moved map[unit.ID]struct{}

	proxies map[model.ProxyID]model.Proxy
	gone    map[model.ProxyID]struct{}

	news    []Notice
	noticed map[noticed]int
}

// noticed is a kind of unit with the reason of a notice.
type noticed struct{ kind, reason string }

func newLedger() *ledger {
	return &ledger{
		versions: map[envoy.Key]string{}, owners: map[envoy.Key]unit.ID{}, units: map[unit.ID][]envoy.Key{},
		set: map[envoy.Key]envoy.Resource{}, removed: map[envoy.Key]struct{}{}, moved: map[unit.ID]struct{}{},
		proxies: map[model.ProxyID]model.Proxy{}, gone: map[model.ProxyID]struct{}{},
		noticed: map[noticed]int{},
	}
}

// put replaces all resources that a unit gave before. What has the version that it had
// is not sent. A resource that another unit has taken over is left to it.
func (l *ledger) put(u unit.ID, resources []envoy.Resource) {
	old := l.units[u]
	if len(old) == 0 && len(resources) == 0 {
		return
	}
	keys := make([]envoy.Key, 0, len(resources))
	for _, r := range resources {
		keys = append(keys, r.Key)
		if owner := l.owners[r.Key]; owner != u {
			l.moved[owner], l.moved[u] = struct{}{}, struct{}{}
			l.owners[r.Key] = u
		}
		if l.versions[r.Key] != r.Version {
			l.versions[r.Key] = r.Version
			l.set[r.Key] = r
			delete(l.removed, r.Key)
		}
	}
	if slices.Equal(old, keys) {
		return
	}
	current := make(map[envoy.Key]struct{}, len(keys))
	for _, key := range keys {
		current[key] = struct{}{}
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

// take gives the resources that have changed since the last call, sorted, and what units
// own of which others are owned.
func (l *ledger) take() (set []envoy.Resource, removed []envoy.Key, moved map[unit.ID][]envoy.Key) {
	for _, r := range l.set {
		set = append(set, r)
	}
	slices.SortFunc(set, func(a, b envoy.Resource) int { return compareKeys(a.Key, b.Key) })
	for key := range l.removed {
		removed = append(removed, key)
	}
	slices.SortFunc(removed, compareKeys)
	clear(l.set)
	clear(l.removed)
	return set, removed, l.takeMoved()
}

// takeMoved gives the keys that the units own of which others are owned than at the
// last call.
func (l *ledger) takeMoved() map[unit.ID][]envoy.Key {
	delete(l.moved, unit.ID{})
	if len(l.moved) == 0 {
		return nil
	}
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

// putProxy takes in a proxy that came of a unit, and which it was before.
func (l *ledger) putProxy(before, now *model.Proxy) {
	if before != nil && (now == nil || now.ID != before.ID) {
		delete(l.proxies, before.ID)
		l.gone[before.ID] = struct{}{}
	}
	if now != nil && (before == nil || !reflect.DeepEqual(*before, *now)) {
		l.proxies[now.ID] = *now
		delete(l.gone, now.ID)
	}
}

func (l *ledger) takeProxies() (there []model.Proxy, gone []model.ProxyID) {
	if len(l.proxies) > 0 {
		there = slices.SortedFunc(maps.Values(l.proxies), func(a, b model.Proxy) int { return compareProxies(a.ID, b.ID) })
	}
	if len(l.gone) > 0 {
		gone = slices.SortedFunc(maps.Keys(l.gone), compareProxies)
	}
	clear(l.proxies)
	clear(l.gone)
	return there, gone
}

// note tells of a unit's notices those that were not told before.
func (l *ledger) note(u unit.ID, before, now []Notice) {
	for _, n := range now {
		l.noticed[noticed{u.Kind, n.Reason}]++
		if !slices.ContainsFunc(before, n.repeats) {
			l.news = append(l.news, n)
		}
	}
	for _, n := range before {
		key := noticed{u.Kind, n.Reason}
		if l.noticed[key]--; l.noticed[key] == 0 {
			delete(l.noticed, key)
		}
	}
}

// repeats tells whether a notice says again what another has said.
func (n Notice) repeats(other Notice) bool {
	if n.Subject != "" {
		n.About = other.About
	}
	return n == other
}

func (l *ledger) takeNews() []Notice {
	news := l.news
	l.news = nil
	return news
}

func compareKeys(a, b envoy.Key) int {
	return cmp.Or(cmp.Compare(a.TypeURL, b.TypeURL), cmp.Compare(a.Name, b.Name), cmp.Compare(a.View, b.View))
}

func compareProxies(a, b model.ProxyID) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Pod, b.Pod), cmp.Compare(a.UID, b.UID))
}
