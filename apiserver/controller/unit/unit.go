// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package unit names what is compiled by itself.
package unit

// ID names a unit: one thing that is compiled by itself, and owns the resources that
// come of it. It is a value, and can be a key of maps.
type ID struct {
	// Kind is that of the unit, such as "service" or "workload"; it is a label value
	// of metrics too.
	Kind string
	// Name is unique among the units of a kind: "<namespace>/<name>", the name of a
	// view, or "" where there is one unit.
	Name string
}

// String gives "service shop/books".
func (id ID) String() string {
	if id.Name == "" {
		return id.Kind
	}
	return id.Kind + " " + id.Name
}
