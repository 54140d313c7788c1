// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"maps"
	"slices"
	"strings"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// maxRetired is how many of its former names a chain does not take again. A stream
// has one update waiting at most, so a proxy is behind by a few.
const maxRetired = 8

// heard is the name that another server has recorded for a chain, and the hash of the
// access that the chain has there; empty if there is none to be looked at.
type heard struct {
	name, access string
}

// Hear gives g with what another server has recorded of the same view, nil for
// nothing. NextGenerations takes its names for the chains that have the same access
// here, so that a proxy finds its chains at either server.
func (g Generations) Hear(other Generations) Generations {
	out := maps.Clone(g)
	if out == nil {
		out = Generations{}
	}
	for port, generation := range out {
		o := other[port]
		generation.tcp.heard = heard{o.Name, o.tcp.recorded}
		generation.plaintext.heard = heard{o.Plaintext, o.plaintext.recorded}
		out[port] = generation
	}
	for port, generation := range other {
		if _, known := out[port]; !known {
			out[port] = generation
		}
	}
	return out
}

// Covers tells whether g speaks of every port that other speaks of.
func (g Generations) Covers(other Generations) bool {
	for port := range other {
		if _, ok := g[port]; !ok {
			return false
		}
	}
	return true
}

// agree gives the name for a chain that would be called name: the one that was heard,
// if it is of the same access. What was heard of another access waits: one of the two
// servers has not seen all changes yet. A name that the chain had here is not taken,
// since connections that a wider access admitted may be on it; then the chain gets a
// new name, which the other server hears.
func (l *lastAccess) agree(name string, podAccess model.AccessMode) string {
	h := l.heard
	if h.name == "" || h.access != l.hash("") || strings.TrimPrefix(h.name, nameOnly(h.name)) != chosen(podAccess) {
		return name
	}
	l.heard = heard{}
	if h.name == name {
		return name
	}
	taken := h.name
	if slices.Contains(l.retired, taken) {
		taken = l.name(name+taken) + chosen(podAccess)
	}
	l.retire(name)
	return taken
}

// retire notes a name that the chain has no more.
func (l *lastAccess) retire(name string) {
	l.retired = append(slices.Clone(l.retired[max(0, len(l.retired)-maxRetired+1):]), name)
}
