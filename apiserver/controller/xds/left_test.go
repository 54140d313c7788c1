// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"fmt"
	"testing"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
)

// TestNothingIsLeftOfWhatIsGone does at random what proxies and updates do, while units are
// asked about together, then takes all away.
func TestNothingIsLeftOfWhatIsGone(t *testing.T) {
	for seed := range uint64(200) {
		w := newSmallMesh(t, 1000+seed)
		for range 200 {
			w.step()
			got := w.Units(w.units...)
			if got.Acked > got.Connected || got.Connected > got.Known || (got.Acked < got.Connected) != (len(got.Waiting) > 0) {
				t.Fatalf("seed %d: of all together it is %+v", seed, got)
			}
		}
		for _, st := range w.streams {
			w.disconnect(st)
		}
		update := Update{Units: map[unit.ID][]envoy.Key{}}
		for id, keys := range w.given {
			update.Units[id] = nil
			for key := range keys {
				update.Remove = append(update.Remove, key)
			}
		}
		for i := range 3 {
			update.GoneProxies = append(update.GoneProxies, pod(fmt.Sprint(i), "").ID)
		}
		w.Apply(update)
		left := map[string]int{
			"views": len(w.store.views), "products": len(w.store.products), "sets": len(w.store.sets.of) + len(w.store.sets.clusters),
			"proxies": len(w.proxies), "streams": len(w.Server.streams), "known": len(w.known), "NACK limits": len(w.nackLimits),
		}
		for k := range kinds {
			left["topics of "+k.label()] = len(w.store.topics[k])
		}
		for what, n := range left {
			if n > 0 {
				t.Errorf("seed %d: %d %s are left", seed, n, what)
			}
		}
	}
}
