// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"iter"
	"math"
	"slices"
)

// unnumbered is the id of a topic that only proxies have named.
const unnumbered = math.MaxUint32

// index numbers the topics of one kind, densely: the number of one that has gone
// is given again. Nothing is held about a topic that has gone, so no holdings know
// the number from before.
type index struct {
	topics []*topic
	free   []uint32
}

func (x *index) add(t *topic) {
	if last := len(x.free) - 1; last >= 0 {
		t.id = x.free[last]
		x.free = x.free[:last]
		x.topics[t.id] = t
		return
	}
	t.id = uint32(len(x.topics))
	x.topics = append(x.topics, t)
}

func (x *index) remove(t *topic) {
	x.topics[t.id] = nil
	x.free = append(x.free, t.id)
}

// holdings are what one proxy knows of each topic of a kind: eight bytes each, by
// the topic's number. A map took 35 bytes for each of 1,000 Services, and was most
// of what a proxy cost.
type holdings struct {
	index *index
	byID  []knowledge
	// others are of topics without a number.
	others map[*topic]knowledge
	n      int
}

func (h *holdings) get(t *topic) (knowledge, bool) {
	if t.id == unnumbered {
		k, ok := h.others[t]
		return k, ok
	}
	if int(t.id) >= len(h.byID) {
		return knowledge{}, false
	}
	k := h.byID[t.id]
	return k, k.serial != unheld
}

func (h *holdings) set(t *topic, k knowledge) {
	if t.id == unnumbered {
		h.setOther(t, k)
		return
	}
	if missing := len(h.index.topics) - len(h.byID); int(t.id) >= len(h.byID) {
		h.byID = append(slices.Grow(h.byID, missing), make([]knowledge, missing)...)
	}
	if h.byID[t.id].serial == unheld {
		h.n++
	}
	h.byID[t.id] = k
}

func (h *holdings) setOther(t *topic, k knowledge) {
	if h.others == nil {
		h.others = map[*topic]knowledge{}
	}
	if _, ok := h.others[t]; !ok {
		h.n++
	}
	h.others[t] = k
}

func (h *holdings) remove(t *topic) {
	if _, ok := h.get(t); !ok {
		return
	}
	h.n--
	if t.id == unnumbered {
		delete(h.others, t)
		return
	}
	h.byID[t.id] = knowledge{}
}

// all goes through them; what it has come to may be removed meanwhile.
func (h *holdings) all() iter.Seq2[*topic, knowledge] {
	return func(yield func(*topic, knowledge) bool) {
		for id, k := range h.byID {
			if k.serial != unheld && !yield(h.index.topics[id], k) {
				return
			}
		}
		for t, k := range h.others {
			if !yield(t, k) {
				return
			}
		}
	}
}
