// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
)

// TestWhoHasAskedIsToldOfEveryChange does what proxies and updates do, at random: when
// the answer of Units is another than the one before, Notify has been called; and
// who has not asked again is told once. Since when a proxy is waited for may move on
// as it ACKs one thing after the other.
func TestWhoHasAskedIsToldOfEveryChange(t *testing.T) {
	for seed := range uint64(50) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newSmallMesh(t, seed)
			answers := map[unit.ID]State{}
			for step := range 300 {
				what := w.step()
				for _, id := range w.units {
					told := slices.Index(w.told, id)
					if told >= 0 && slices.Index(w.told[told+1:], id) >= 0 {
						t.Fatalf("step %d, %s: told twice of %s", step, what, id)
					}
					got := w.Units(id)
					if diff := cmp.Diff(answers[id], got, cmpopts.IgnoreFields(State{}, "Waiting")); diff != "" && told < 0 {
						t.Fatalf("step %d, %s: nobody was told of %s (-before +now):\n%s", step, what, id, diff)
					}
					if got.Acked > got.Connected || got.Connected > got.Known || (got.Acked < got.Connected) != (len(got.Waiting) > 0) {
						t.Fatalf("step %d, %s: %s is %+v", step, what, id, got)
					}
					answers[id] = got
				}
				w.told = nil
			}
		})
	}
}

// smallMesh is a Server without connections, whose streams do things at random.
type smallMesh struct {
	*Server
	t *testing.T
	*rand.Rand
	told    []unit.ID
	units   []unit.ID
	given   map[unit.ID]map[envoy.Key]struct{}
	streams []*stream
	sent    map[*stream][]*response
}

func newSmallMesh(t *testing.T, seed uint64) *smallMesh {
	w := &smallMesh{t: t, Rand: rand.New(rand.NewPCG(seed, 0)), given: map[unit.ID]map[envoy.Key]struct{}{}, sent: map[*stream][]*response{}}
	w.Server = New(Options{Notify: func(id unit.ID) { w.told = append(w.told, id) }})
	for _, name := range []string{"a", "b", "c"} {
		w.units = append(w.units, unit.ID{Kind: "any", Name: name})
	}
	w.SetReady()
	return w
}

func (w *smallMesh) step() string {
	switch w.IntN(9) {
	case 0, 1:
		return w.change()
	case 2:
		p := pod(fmt.Sprint(w.IntN(3)), fmt.Sprint("v", w.IntN(2)))
		if w.IntN(2) == 0 {
			p.Views = []string{p.Views[0], "some", ""}
		}
		w.Apply(Update{Proxies: []model.Proxy{p}})
		return "a proxy is known"
	case 3:
		if w.IntN(3) == 0 {
			w.Apply(Update{GoneProxies: []model.ProxyID{pod(fmt.Sprint(w.IntN(3)), "").ID}})
		}
		return "a proxy is gone"
	case 4:
		p := pod(fmt.Sprint(w.IntN(3)), "")
		st := newStream(w.Server, Peer{ID: p.ID, ServiceAccount: p.ServiceAccount}, w.log)
		if err := w.connect(st); err != nil {
			w.t.Fatal(err)
		}
		w.streams = append(w.streams, st)
		return "connect"
	}
	if len(w.streams) == 0 {
		return "nothing"
	}
	i := w.IntN(len(w.streams))
	st := w.streams[i]
	switch w.IntN(8) {
	case 0:
		w.disconnect(st)
		w.streams = slices.Delete(w.streams, i, i+1)
		return "disconnect"
	case 1, 2:
		if st.isAdmitted() {
			return w.request(st)
		}
	case 3:
		st.warming = warming{}
		responses, _, _ := w.collect(st)
		w.sent[st] = append(w.sent[st], responses...)
		return "send"
	default:
		if len(w.sent[st]) > 0 && !st.left {
			return w.answer(st)
		}
	}
	return "nothing"
}

// change gives a unit other resources.
func (w *smallMesh) change() string {
	id := w.units[w.IntN(len(w.units))]
	key := envoy.Key{TypeURL: typeURLs[w.IntN(int(kinds))], Name: fmt.Sprint("name-", w.IntN(2)), View: []string{"", "v0", "v1", "some"}[w.IntN(4)]}
	for _, other := range w.units {
		if _, taken := w.given[other][key]; taken {
			id = other
		}
	}
	if w.given[id] == nil {
		w.given[id] = map[envoy.Key]struct{}{}
	}
	_, had := w.given[id][key]
	update := Update{Units: map[unit.ID][]envoy.Key{}}
	if had && w.IntN(2) == 0 {
		update.Remove = []envoy.Key{key}
		delete(w.given[id], key)
	} else {
		k, _ := kindOf(key.TypeURL)
		update.Set = []envoy.Resource{encoded(w.t, k, key.Name, key.View, fmt.Sprint(w.IntN(5)))}
		w.given[id][key] = struct{}{}
	}
	if _, has := w.given[id][key]; has != had {
		update.Units[id] = slices.Collect(maps.Keys(w.given[id]))
	}
	w.Apply(update)
	return fmt.Sprintf("update %v", update.Units)
}

func (w *smallMesh) request(st *stream) string {
	k := kind(w.IntN(int(kinds)))
	request := &discovery.DeltaDiscoveryRequest{TypeUrl: k.typeURL()}
	name := []string{"name-0", "name-1", wildcard}[w.IntN(3)]
	if w.IntN(4) == 0 {
		request.ResourceNamesUnsubscribe = []string{name}
	} else {
		request.ResourceNamesSubscribe = []string{name}
	}
	// The version that it says it has may be the right one.
	if t := w.store.topics[k]["name-0"]; t != nil && w.IntN(2) == 0 {
		if r := st.visible(t); r != nil {
			request.InitialResourceVersions = map[string]string{"name-0": r.version}
		}
	}
	_ = w.handle(st, request) // it may have asked for everything too often
	return fmt.Sprintf("%s asks %v", st.peer.ID.Pod, request)
}

// answer ACKs or NACKs what was sent first.
func (w *smallMesh) answer(st *stream) string {
	r := w.sent[st][0]
	w.sent[st] = w.sent[st][1:]
	request := &discovery.DeltaDiscoveryRequest{TypeUrl: r.kind.typeURL(), ResponseNonce: strconv.Itoa(int(r.nonce))}
	if w.IntN(3) == 0 {
		request.ErrorDetail = &statuspb.Status{Message: "no"}
	}
	if err := w.handle(st, request); err != nil {
		w.t.Fatal(err)
	}
	return fmt.Sprintf("%s answers %v", st.peer.ID.Pod, request)
}
