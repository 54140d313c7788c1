// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
)

// store holds what there is to send, and who has asked for it. A resource is
// known by (type, name, view). The Server's lock guards it.
type store struct {
	topics [kinds]map[string]*topic
	// indexes number the topics.
	indexes [kinds]index
	// streams numbers those that are connected.
	streams numbering[*stream]
	views   map[string]*viewIndex
	// products are by unit, and numbered.
	products map[unit.ID]*product
	numbered numbering[*product]
	// serial is the last number given to a version of a resource.
	serial serial
	sets   endpointSets
}

// topic is a name of one type: what a proxy can ask for, there or not.
type topic struct {
	kind kind
	name string
	// id is its number among those of its kind.
	id uint32
	// shared is the resource of view "", nil if there is none.
	shared *resource
	// own are the resources of other views, by view.
	own map[string]*resource
	// subscribers are the streams that have asked for this name, by number.
	// Streams with a wildcard are found by the viewIndex instead.
	subscribers numbers
	// holders is how many streams and products refer to this topic.
	holders int
}

// resource is one version of one resource, ready to be sent. It is immutable, but
// for the product that it is part of.
type resource struct {
	source envoy.Resource
	// product is what the unit gave that this came of; nil if none is known.
	product *product
	// since is when it became current.
	since time.Time
	// version is what proxies are told. It is made of contents alone.
	version string
	serial  serial
	// frame is this resource as part of an encoded DeltaDiscoveryResponse; all
	// streams share it.
	frame mem.Buffer
}

// serial numbers the versions of all resources, to compare them cheaply.
type serial uint32

const (
	// unheld: nothing is kept of the topic.
	unheld serial = iota
	// unknown: the proxy has not been told anything.
	unknown
	// missing: the proxy has been told that there is no such resource.
	missing
	firstSerial
	// stale: the proxy has a version that is not ours.
	stale = ^serial(0)
)

// viewIndex leads from a view to its resources, and to the streams in it that
// have a wildcard.
type viewIndex struct {
	topics    [kinds]map[*topic]struct{}
	wildcards [kinds]map[*stream]struct{}
	streams   map[*stream]struct{}
	// asked are products, by number, whose answer changes with who is in the view.
	asked numbers
}

// place is a topic in one view, where a resource may be. A change is the place of a
// resource that came, changed or went.
type place struct {
	topic *topic
	view  string
}

func newStore() *store {
	s := &store{views: map[string]*viewIndex{}, products: map[unit.ID]*product{}, serial: firstSerial, sets: newEndpointSets()}
	for k := range s.topics {
		s.topics[k] = map[string]*topic{}
	}
	return s
}

// topic gives the topic of a name, making it if need be. Whoever makes one
// calls release when it may have become useless.
func (s *store) topic(k kind, name string) *topic {
	t, ok := s.topics[k][name]
	if !ok {
		t = &topic{kind: k, name: name}
		s.topics[k][name] = t
		s.indexes[k].add(t)
	}
	return t
}

// release forgets a topic that has no resource and that no stream knows of.
func (s *store) release(t *topic) {
	if t.shared == nil && len(t.own) == 0 && t.holders == 0 && s.topics[t.kind][t.name] == t {
		delete(s.topics[t.kind], t.name)
		s.sets.forget(t)
		s.indexes[t.kind].remove(t)
	}
}

// view gives the index of a view, making it if need be.
func (s *store) view(name string) *viewIndex {
	v, ok := s.views[name]
	if !ok {
		v = &viewIndex{streams: map[*stream]struct{}{}}
		for k := range kinds {
			v.topics[k] = map[*topic]struct{}{}
			v.wildcards[k] = map[*stream]struct{}{}
		}
		s.views[name] = v
	}
	return v
}

// releaseView forgets a view without resources and streams.
func (s *store) releaseView(name string) {
	v, ok := s.views[name]
	if !ok || len(v.streams) > 0 {
		return
	}
	for k := range kinds {
		if len(v.topics[k]) > 0 {
			return
		}
	}
	delete(s.views, name)
}

// apply sets and removes resources and says what is different afterwards. What
// cannot be set is left out, and is the error. Endpoints come last, since their
// versions follow those of clusters.
func (s *store) apply(set []envoy.Resource, remove []envoy.Key) ([]place, error) {
	early, err := s.applyThose(set, remove, func(k kind) bool { return k != endpoints })
	late, lateErr := s.applyThose(set, remove, func(k kind) bool { return k == endpoints })
	changes := append(early, late...)
	followed, followErr := s.followClusters(changes)
	return append(changes, followed...), errors.Join(unserved(set, remove), err, lateErr, followErr)
}

// unserved is the error of resources of types that are not served.
func unserved(set []envoy.Resource, remove []envoy.Key) error {
	var failed []error
	for _, source := range set {
		if _, ok := kindOf(source.TypeURL); !ok {
			failed = append(failed, fmt.Errorf("set %q: type %q is not served", source.Name, source.TypeURL))
		}
	}
	for _, key := range remove {
		if _, ok := kindOf(key.TypeURL); !ok {
			failed = append(failed, fmt.Errorf("remove %q: type %q is not served", key.Name, key.TypeURL))
		}
	}
	return errors.Join(failed...)
}

// applyThose applies what is of some kinds. Removals come last, so that what only
// goes to another view stays the same version.
func (s *store) applyThose(set []envoy.Resource, remove []envoy.Key, those func(kind) bool) ([]place, error) {
	var changes []place
	var failed []error
	for _, source := range set {
		if k, ok := kindOf(source.TypeURL); ok && those(k) {
			c, err := s.put(s.topic(k, source.Name), source)
			changes, failed = append(changes, c...), append(failed, err)
		}
	}
	for _, key := range remove {
		k, ok := kindOf(key.TypeURL)
		if !ok || !those(k) {
			continue
		}
		if t, ok := s.topics[k][key.Name]; ok && t.variant(key.View) != nil {
			s.drop(t, key.View)
			changes = append(changes, place{t, key.View})
		}
	}
	return changes, errors.Join(failed...)
}

// put makes a resource current, and returns the change, if it is one.
func (s *store) put(t *topic, source envoy.Resource) ([]place, error) {
	version := s.versionOf(t, source)
	old := t.variant(source.View)
	if old != nil && old.version == version {
		return nil, nil
	}
	frame, err := proto.Marshal(&discovery.DeltaDiscoveryResponse{Resources: []*discovery.Resource{
		{Name: source.Name, Version: version, Resource: source.Body},
	}})
	if err != nil {
		s.release(t)
		return nil, fmt.Errorf("encode %s %q: %w", t.kind.label(), t.name, err)
	}
	s.view(source.View).topics[t.kind][t] = struct{}{}
	next := &resource{source: source, since: time.Now(), version: version, serial: s.serialOf(t, version), frame: mem.SliceBuffer(frame)}
	if old != nil {
		next.product = old.product
	}
	t.set(source.View, next)
	s.sets.note(t, source.EndpointSet)
	return []place{{t, source.View}}, nil
}

// serialOf numbers a version. One that is there in another view keeps its number,
// so that a proxy which sees it by that view now is not sent it again.
func (s *store) serialOf(t *topic, version string) serial {
	if t.shared != nil && t.shared.version == version {
		return t.shared.serial
	}
	for _, r := range t.own {
		if r.version == version {
			return r.serial
		}
	}
	s.serial++
	return s.serial
}

// versionOf is the version that proxies are told.
func (s *store) versionOf(t *topic, source envoy.Resource) string {
	version := source.Version
	if t.kind != endpoints {
		return version
	}
	for _, c := range s.clustersOf(t) {
		for _, view := range c.views() {
			version += "." + c.variant(view).version
		}
	}
	return version
}

// variants is in how many views there is a resource.
func (t *topic) variants() int {
	if t.shared == nil {
		return len(t.own)
	}
	return len(t.own) + 1
}

// views are those in which there is a resource, sorted.
func (t *topic) views() []string {
	views := slices.Sorted(maps.Keys(t.own))
	if t.shared != nil {
		views = append(views, "")
	}
	return views
}

// set makes a resource that of a view.
func (t *topic) set(view string, r *resource) {
	if view == "" {
		t.shared = r
		return
	}
	if t.own == nil {
		t.own = map[string]*resource{}
	}
	t.own[view] = r
}

// drop takes a resource away.
func (s *store) drop(t *topic, view string) {
	delete(s.view(view).topics[t.kind], t)
	if view == "" {
		t.shared = nil
		return
	}
	delete(t.own, view)
}

// variant gives the resource of exactly this view, or nil.
func (t *topic) variant(view string) *resource {
	if view == "" {
		return t.shared
	}
	return t.own[view]
}

// visible gives what a proxy sees under the topic's name, or nil: the resource of the
// first of its views that has one.
func (st *stream) visible(t *topic) *resource {
	if len(t.own) == 0 && st.shares {
		return t.shared
	}
	for _, view := range st.names {
		if r := t.variant(view); r != nil {
			return r
		}
	}
	return nil
}
