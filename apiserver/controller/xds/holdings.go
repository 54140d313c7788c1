// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"iter"
	"slices"
)

// index numbers the topics of one kind.
type index struct {
	numbers numbering[*topic]
	// sorted are all of them by name, or nil: whoever wants them so sorts them.
	sorted []*topic
}

func (x *index) add(t *topic) {
	t.id = x.numbers.add(t)
	x.sorted = nil
}

func (x *index) remove(t *topic) {
	x.numbers.remove(t.id)
	x.sorted = nil
}

// byName gives those topics whose numbers are in a set, sorted by name. What each
// new stream asks for is nearly all, for which nothing is sorted again.
func (x *index) byName(set *numbers) []*topic {
	topics := make([]*topic, 0, set.n)
	if set.n <= len(x.numbers.items)/8 {
		for id := range set.all() {
			if t := x.numbers.items[id]; t != nil {
				topics = append(topics, t)
			}
		}
		slices.SortFunc(topics, compareNames)
		return topics
	}
	if x.sorted == nil {
		x.sorted = slices.DeleteFunc(slices.Clone(x.numbers.items), func(t *topic) bool { return t == nil })
		slices.SortFunc(x.sorted, compareNames)
	}
	for _, t := range x.sorted {
		if set.has(t.id) {
			topics = append(topics, t)
		}
	}
	return topics
}

// pageSize is how many topics' knowledge is taken at once: 2 KiB.
const pageSize = 256

// holdings are what one proxy knows of each topic of a kind: eight bytes each, by
// the topic's number, in pages that are there where something is known. So names
// that others ask for, and that are not there, cost it next to nothing. Nothing is
// held about a topic that has gone, so none are known by a number from before.
type holdings struct {
	index *index
	pages []*[pageSize]knowledge
	n     int
}

func (h *holdings) get(t *topic) (knowledge, bool) {
	page := int(t.id / pageSize)
	if page >= len(h.pages) || h.pages[page] == nil {
		return knowledge{}, false
	}
	k := h.pages[page][t.id%pageSize]
	return k, k.serial != unheld
}

func (h *holdings) set(t *topic, k knowledge) {
	page := int(t.id / pageSize)
	if missing := page + 1 - len(h.pages); missing > 0 {
		h.pages = append(h.pages, make([]*[pageSize]knowledge, missing)...)
	}
	if h.pages[page] == nil {
		h.pages[page] = new([pageSize]knowledge)
	}
	if _, ok := h.get(t); !ok {
		h.n++
	}
	h.pages[page][t.id%pageSize] = k
}

func (h *holdings) remove(t *topic) {
	if _, ok := h.get(t); ok {
		h.pages[t.id/pageSize][t.id%pageSize] = knowledge{}
		h.n--
	}
}

// all goes through them; what it has come to may be removed meanwhile.
func (h *holdings) all() iter.Seq2[*topic, knowledge] {
	return func(yield func(*topic, knowledge) bool) {
		for i, page := range h.pages {
			if page == nil {
				continue
			}
			for j, k := range page {
				if k.serial != unheld && !yield(h.index.numbers.items[i*pageSize+j], k) {
					return
				}
			}
		}
	}
}
