// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"iter"
	"slices"
)

// holdings are what one proxy knows of each topic of a kind: eight bytes each, by
// the topic's number. Nothing is held about a topic that has gone, so none are
// known by a number from before.
type holdings struct {
	index *numbering[*topic]
	byID  []knowledge
	n     int
}

func (h *holdings) get(t *topic) (knowledge, bool) {
	if int(t.id) >= len(h.byID) {
		return knowledge{}, false
	}
	k := h.byID[t.id]
	return k, k.serial != unheld
}

func (h *holdings) set(t *topic, k knowledge) {
	if missing := len(h.index.items) - len(h.byID); int(t.id) >= len(h.byID) {
		h.byID = append(slices.Grow(h.byID, missing), make([]knowledge, missing)...)
	}
	if h.byID[t.id].serial == unheld {
		h.n++
	}
	h.byID[t.id] = k
}

func (h *holdings) remove(t *topic) {
	if _, ok := h.get(t); ok {
		h.byID[t.id] = knowledge{}
		h.n--
	}
}

// all goes through them; what it has come to may be removed meanwhile.
func (h *holdings) all() iter.Seq2[*topic, knowledge] {
	return func(yield func(*topic, knowledge) bool) {
		for id, k := range h.byID {
			if k.serial != unheld && !yield(h.index.items[id], k) {
				return
			}
		}
	}
}
