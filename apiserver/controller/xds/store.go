// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"errors"
	"fmt"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
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
	// serial is the last number given to a version of a resource.
	serial serial
}

// topic is a name of one type: what a proxy can ask for, there or not.
type topic struct {
	kind kind
	name string
	// id is its number among those of its kind.
	id uint32
	// shared is what every proxy may see, nil if there is none.
	shared *resource
	// own is what proxies of one view see in its place, by view.
	own map[string]*resource
	// subscribers are the streams that have asked for this name, by number.
	// Streams with a wildcard are found by the viewIndex instead.
	subscribers numbers
	// holders is how many streams keep state about this topic.
	holders int
}

// resource is one version of one resource, ready to be sent. It is immutable.
type resource struct {
	source envoy.Resource
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
// have a wildcard. View "" has the shared resources and every stream.
type viewIndex struct {
	topics    [kinds]map[*topic]struct{}
	wildcards [kinds]map[*stream]struct{}
	streams   map[*stream]struct{}
}

// change is a resource that came, changed or went.
type change struct {
	topic *topic
	view  string
}

func newStore() *store {
	s := &store{views: map[string]*viewIndex{}, serial: firstSerial}
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
// cannot be set is left out, and is the error. Removals come last, so that what
// only goes to another view stays the same version.
func (s *store) apply(set []envoy.Resource, remove []envoy.Key) ([]change, error) {
	var changes []change
	var failed []error
	for _, source := range set {
		k, ok := kindOf(source.TypeURL)
		if !ok {
			failed = append(failed, fmt.Errorf("set %q: type %q is not served", source.Name, source.TypeURL))
			continue
		}
		c, err := s.put(s.topic(k, source.Name), source)
		changes, failed = append(changes, c...), append(failed, err)
	}
	for _, key := range remove {
		k, ok := kindOf(key.TypeURL)
		if !ok {
			failed = append(failed, fmt.Errorf("remove %q: type %q is not served", key.Name, key.TypeURL))
			continue
		}
		if t, ok := s.topics[k][key.Name]; ok && t.variant(key.View) != nil {
			s.drop(t, key.View)
			changes = append(changes, change{t, key.View})
		}
	}
	followed, err := s.followClusters(changes)
	return append(changes, followed...), errors.Join(append(failed, err)...)
}

// followClusters gives the endpoints of each changed cluster a new version.
// Envoy warms up a changed cluster only when its endpoints arrive anew, even
// if they are the same, and asks for nothing ("Resource warming" in its xDS
// protocol). With the cluster in the version of the endpoints this holds
// across reconnects and restarts too.
func (s *store) followClusters(changes []change) ([]change, error) {
	var followed []change
	var failed []error
	for _, c := range changes {
		if c.topic.kind != clusters {
			continue
		}
		if t, ok := s.topics[endpoints][c.topic.name]; ok && t.variant(c.view) != nil {
			f, err := s.put(t, t.variant(c.view).source)
			followed, failed = append(followed, f...), append(failed, err)
		}
	}
	return followed, errors.Join(failed...)
}

// put makes a resource current, and returns the change, if it is one.
func (s *store) put(t *topic, source envoy.Resource) ([]change, error) {
	version := s.versionOf(t, source)
	if old := t.variant(source.View); old != nil && old.version == version {
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
	t.set(source.View, &resource{source: source, version: version, serial: s.serialOf(t, version), frame: mem.SliceBuffer(frame)})
	return []change{{t, source.View}}, nil
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
	if t.kind == endpoints {
		if c, ok := s.topics[clusters][t.name]; ok && c.variant(source.View) != nil {
			return source.Version + "." + c.variant(source.View).version
		}
	}
	return source.Version
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

// visible gives what a proxy sees under the topic's name, or nil: of the views
// that it belongs to the first that has it, its own before those that it shares.
func (st *stream) visible(t *topic) *resource {
	if len(t.own) == 0 {
		return t.shared
	}
	if r, ok := t.own[st.view]; ok {
		return r
	}
	for _, view := range st.sees {
		if r, ok := t.own[view]; ok {
			return r
		}
	}
	return t.shared
}
