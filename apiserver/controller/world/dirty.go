// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// Dirty is what must be compiled anew, and nothing else.
type Dirty struct {
	// All is set by a change that every unit reads: MeshConfig.
	All bool
	// Services whose addresses, ports or endpoints may differ, or that are gone.
	Services map[Key]struct{}
	// Accounts of meshed pods that appeared, or are gone.
	Accounts map[Key]struct{}
	// Addresses is set if those that callers dial themselves may be others, or
	// others'.
	Addresses bool
	// Views whose inbound side may differ, or that have no pod any more.
	Views map[string]struct{}
	// Notices are the Services of which there may be something else to say, though
	// they are what they were.
	Notices map[Key]struct{}
	// Scraped are the views of pods that ask Prometheus to come and are others now.
	Scraped map[string]struct{}
	// Makers of pods of which there may be something else to say.
	Makers map[Maker]struct{}
	// Namespaces whose own annotations about traffic have changed.
	Namespaces map[string]struct{}
	// Policies whose own condition may differ, or that are gone.
	Policies map[Reference]struct{}
	// Proxies that appeared, moved to another view or account, or are gone.
	Proxies map[model.ProxyID]struct{}
}

func newDirty() Dirty {
	return Dirty{
		Services:   map[Key]struct{}{},
		Accounts:   map[Key]struct{}{},
		Notices:    map[Key]struct{}{},
		Scraped:    map[string]struct{}{},
		Makers:     map[Maker]struct{}{},
		Views:      map[string]struct{}{},
		Namespaces: map[string]struct{}{},
		Policies:   map[Reference]struct{}{},
		Proxies:    map[model.ProxyID]struct{}{},
	}
}

// TakeDirty gives what the changes since the last call have made stale.
func (w *World) TakeDirty() Dirty {
	for key := range w.dirty.Services {
		if _, ok := w.headless[key]; ok {
			w.dirty.Addresses = true
		}
	}
	d := w.dirty
	w.dirty = newDirty()
	return d
}
