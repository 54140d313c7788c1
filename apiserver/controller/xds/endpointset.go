// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"cmp"
	"errors"
	"slices"
)

// endpointSets knows which clusters take their endpoints from a resource that has
// another name than theirs. They are few, so that nothing is kept of the others.
type endpointSets struct {
	// of is the name of the resource, by cluster; clusters is the other way round,
	// sorted by name.
	of       map[*topic]string
	clusters map[string][]*topic
}

func newEndpointSets() endpointSets {
	return endpointSets{of: map[*topic]string{}, clusters: map[string][]*topic{}}
}

// note takes in where a cluster has its endpoints from, "" if it is a resource of its
// own name. All variants of a cluster have them from the same.
func (e endpointSets) note(t *topic, set string) {
	if t.kind != clusters || e.of[t] == set {
		return
	}
	e.forget(t)
	if set == "" {
		return
	}
	e.of[t] = set
	e.clusters[set] = append(e.clusters[set], t)
	slices.SortFunc(e.clusters[set], func(a, b *topic) int { return cmp.Compare(a.name, b.name) })
}

func (e endpointSets) forget(t *topic) {
	set, known := e.of[t]
	if !known {
		return
	}
	delete(e.of, t)
	e.clusters[set] = slices.DeleteFunc(e.clusters[set], func(other *topic) bool { return other == t })
	if len(e.clusters[set]) == 0 {
		delete(e.clusters, set)
	}
}

// clustersOf gives the clusters that take their endpoints from a topic: that of the
// same name first.
func (s *store) clustersOf(t *topic) []*topic {
	var all []*topic
	if c, ok := s.topics[clusters][t.name]; ok && s.sets.of[c] == "" {
		all = append(all, c)
	}
	return append(all, s.sets.clusters[t.name]...)
}

// followClusters gives the endpoints of each changed cluster a new version.
// Envoy warms up a changed cluster only when its endpoints arrive anew, even
// if they are the same, and asks for nothing ("Resource warming" in its xDS
// protocol); nor does it for a further cluster with endpoints that it has. With the
// clusters in the version of the endpoints this holds across reconnects and restarts
// too. A proxy may see the cluster of one view and the endpoints of another, so those
// of every view follow.
func (s *store) followClusters(changes []place) ([]place, error) {
	var followed []place
	var failed []error
	for _, c := range changes {
		if c.topic.kind != clusters {
			continue
		}
		t, ok := s.topics[endpoints][cmp.Or(s.sets.of[c.topic], c.topic.name)]
		if !ok {
			continue
		}
		for _, view := range t.views() {
			f, err := s.put(t, t.variant(view).source)
			followed, failed = append(followed, f...), append(failed, err)
		}
	}
	return followed, errors.Join(failed...)
}
