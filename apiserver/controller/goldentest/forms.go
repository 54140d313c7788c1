// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package goldentest writes trees of JSON as what differs from known ones, so
// that golden files show their own subject and nothing that all have.
package goldentest

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// The words of a golden file that are no field's.
const (
	// like names the form that an object is like; the fields beside it differ.
	like = "like"
	// absent stands for a field, or for an element of a list, that the form has.
	absent = "(absent)"
	// after names the element before one that the form lacks; "" is the start.
	after = "(after)"
	// named holds the elements of a list that differ, by name.
	named = "(by name)"
)

// leastSize is the number of values from which an object is worth a form.
const leastSize = 8

// Forms are objects that others are compared with. They are of a class: objects
// with "@type" are of that type, elements of lists are of their list's field.
type Forms struct {
	byClass map[string][]form
	byName  map[string]any
}

// writer writes one object down. It remembers what it has compared, since objects
// are compared again with each form of what they are in.
type writer struct {
	forms *Forms
	short map[pointer]map[string]any
	// different is by form and object.
	different map[[2]pointer]map[string]any
}

// pointer tells objects apart by where they are.
type pointer uintptr

func pointerTo(tree map[string]any) pointer { return pointer(reflect.ValueOf(tree).Pointer()) }

type form struct {
	name string
	tree map[string]any
}

// NewForms gives no forms.
func NewForms() *Forms {
	return &Forms{map[string][]form{}, map[string]any{}}
}

// Add makes forms of an object of a class, and of all within it that have a
// class. The name is that of the object; what is within it is named by its place.
func (f *Forms) Add(class, name string, tree map[string]any) {
	f.add(class, name, tree)
	for _, key := range slices.Sorted(maps.Keys(tree)) {
		f.within(key, name, tree[key])
	}
}

func (f *Forms) add(class, name string, tree map[string]any) {
	if size(tree) < leastSize || slices.ContainsFunc(f.byClass[class], func(known form) bool { return reflect.DeepEqual(known.tree, tree) }) {
		return
	}
	unique := name
	for i := 2; f.byName[unique] != nil; i++ {
		unique = fmt.Sprintf("%s, %d", name, i)
	}
	f.byName[unique] = tree
	f.byClass[class] = append(f.byClass[class], form{unique, tree})
}

func (f *Forms) within(key, place string, node any) {
	switch node := node.(type) {
	case map[string]any:
		if class, ok := node["@type"].(string); ok {
			f.Add(class, place+": "+class[strings.LastIndex(class, ".")+1:], node)
			return
		}
		for _, key := range slices.Sorted(maps.Keys(node)) {
			f.within(key, place, node[key])
		}
	case []any:
		for _, element := range node {
			if m, ok := element.(map[string]any); ok {
				f.Add(key, placeOf(place, m), m)
			}
		}
	}
}

// placeOf adds the name of an element, if it has one.
func placeOf(place string, element map[string]any) string {
	if name, ok := element["name"].(string); ok {
		return place + " > " + name
	}
	return place
}

// Short writes an object of a class as what differs from the form that is nearest.
func (f *Forms) Short(class string, tree map[string]any) map[string]any {
	w := writer{f, map[pointer]map[string]any{}, map[[2]pointer]map[string]any{}}
	return w.write(class, tree)
}

func (w writer) write(class string, tree map[string]any) map[string]any {
	if short, ok := w.short[pointerTo(tree)]; ok {
		return short
	}
	short := w.nearest(class, tree)
	w.short[pointerTo(tree)] = short
	return short
}

func (w writer) nearest(class string, tree map[string]any) map[string]any {
	whole := map[string]any{}
	for key, value := range tree {
		whole[key] = w.shorten(key, value)
	}
	if size(tree) < leastSize {
		return whole
	}
	best, least := whole, size(whole)
	for _, known := range w.forms.byClass[class] {
		d := maps.Clone(w.difference(known.tree, tree))
		d[like] = known.name
		if s := size(d); s < least {
			best, least = d, s
		}
	}
	return best
}

// shorten writes a value of a field that has nothing to be compared with.
func (w writer) shorten(key string, value any) any {
	switch value := value.(type) {
	case map[string]any:
		if class, ok := value["@type"].(string); ok {
			return w.write(class, value)
		}
		out := map[string]any{}
		for key, v := range value {
			out[key] = w.shorten(key, v)
		}
		return out
	case []any:
		out := make([]any, len(value))
		for i, element := range value {
			out[i] = element
			if m, ok := element.(map[string]any); ok {
				out[i] = w.write(key, m)
			}
		}
		return out
	default:
		return value
	}
}

// difference gives the fields in which an object differs from a form.
func (w writer) difference(known, tree map[string]any) map[string]any {
	pair := [2]pointer{pointerTo(known), pointerTo(tree)}
	if out, ok := w.different[pair]; ok {
		return out
	}
	out := map[string]any{}
	w.different[pair] = out
	for key := range known {
		if _, ok := tree[key]; !ok {
			out[key] = absent
		}
	}
	for key, value := range tree {
		if old, ok := known[key]; !ok {
			out[key] = w.shorten(key, value)
		} else if !reflect.DeepEqual(old, value) {
			out[key] = w.change(key, old, value)
		}
	}
	return out
}

func (w writer) change(key string, old, value any) any {
	switch value := value.(type) {
	case map[string]any:
		if old, ok := old.(map[string]any); ok && old["@type"] == value["@type"] {
			return w.difference(old, value)
		}
	case []any:
		if old, ok := old.([]any); ok {
			if d, ok := w.byNames(key, old, value); ok {
				return d
			}
		}
	}
	return w.shorten(key, value)
}

// byNames writes down which elements of a list differ; false if that does not
// tell the whole list, as where an element has no name, or the order is another.
func (w writer) byNames(key string, old, value []any) (map[string]any, bool) {
	before, ok := elements(old)
	if !ok {
		return nil, false
	}
	now, ok := elements(value)
	if !ok {
		return nil, false
	}
	out := map[string]any{}
	for name := range before {
		if now[name] == nil {
			out[name] = absent
		}
	}
	last := ""
	for _, element := range value {
		m := element.(map[string]any)
		name := m["name"].(string)
		if known := before[name]; known == nil {
			added := maps.Clone(w.write(key, m))
			added[after] = last
			out[name] = added
		} else if !reflect.DeepEqual(known, m) {
			out[name] = w.difference(known, m)
		}
		last = name
	}
	d := map[string]any{named: out}
	if restored, err := w.forms.restoreList(old, d); err != nil || !reflect.DeepEqual(restored, value) {
		return nil, false
	}
	return d, true
}

// elements gives the elements of a list by name; false if they have none of their own.
func elements(list []any) (map[string]map[string]any, bool) {
	out := map[string]map[string]any{}
	for _, element := range list {
		m, ok := element.(map[string]any)
		if !ok {
			return nil, false
		}
		name, ok := m["name"].(string)
		if !ok || name == "" || out[name] != nil {
			return nil, false
		}
		out[name] = m
	}
	return out, true
}

// size counts the values of a tree.
func size(node any) int {
	n := 1
	switch node := node.(type) {
	case map[string]any:
		for _, value := range node {
			n += size(value)
		}
	case []any:
		for _, value := range node {
			n += size(value)
		}
	}
	return n
}

// Restore gives the object that Short has written down.
func (f *Forms) Restore(short map[string]any) (map[string]any, error) {
	restored, err := f.restore(nil, short)
	if err != nil {
		return nil, err
	}
	return restored.(map[string]any), nil
}

// restore gives what short says, of a field that has a value in the form, or nil.
func (f *Forms) restore(old, short any) (any, error) {
	switch short := short.(type) {
	case map[string]any:
		if list, ok := old.([]any); ok && short[named] != nil {
			return f.restoreList(list, short)
		}
		return f.restoreObject(old, short)
	case []any:
		out := make([]any, len(short))
		for i, element := range short {
			restored, err := f.restore(nil, element)
			if err != nil {
				return nil, err
			}
			out[i] = restored
		}
		return out, nil
	default:
		return short, nil
	}
}

func (f *Forms) restoreObject(old any, short map[string]any) (any, error) {
	known, _ := old.(map[string]any)
	if name, ok := short[like].(string); ok {
		if known, ok = f.byName[name].(map[string]any); !ok {
			return nil, fmt.Errorf("there is no form %q", name)
		}
	} else if short["@type"] != nil {
		known = nil
	}
	out := map[string]any{}
	maps.Copy(out, known)
	for key, value := range short {
		if key == like || key == after {
			continue
		}
		if value == absent {
			delete(out, key)
			continue
		}
		restored, err := f.restore(known[key], value)
		if err != nil {
			return nil, err
		}
		out[key] = restored
	}
	return out, nil
}

func (f *Forms) restoreList(old []any, short map[string]any) ([]any, error) {
	changes, ok := short[named].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%q holds no elements", named)
	}
	var out []any
	added := map[string][]addition{}
	known := map[string]bool{}
	for _, element := range old {
		m := element.(map[string]any)
		name := m["name"].(string)
		known[name] = true
		change := changes[name]
		if change == absent {
			continue
		}
		if change != nil {
			restored, err := f.restore(m, change)
			if err != nil {
				return nil, err
			}
			element = restored
		}
		out = append(out, element)
	}
	for name, change := range changes {
		if known[name] {
			continue
		}
		m, ok := change.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("element %q of a list is no object", name)
		}
		restored, err := f.restore(nil, m)
		if err != nil {
			return nil, err
		}
		place, _ := m[after].(string)
		added[place] = append(added[place], addition{name, restored})
	}
	return insert(out, added), nil
}

type addition struct {
	name    string
	element any
}

// insert puts each addition behind the element that it follows.
func insert(list []any, added map[string][]addition) []any {
	var out []any
	var follow func(name string)
	follow = func(name string) {
		next := added[name]
		slices.SortFunc(next, func(a, b addition) int { return cmp.Compare(a.name, b.name) })
		for _, a := range next {
			out = append(out, a.element)
			follow(a.name)
		}
	}
	follow("")
	for _, element := range list {
		out = append(out, element)
		follow(element.(map[string]any)["name"].(string))
	}
	return out
}
