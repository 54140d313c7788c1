// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package filters

import (
	"fmt"
	"slices"

	httprbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	networkrbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
)

// Check says what is wrong with a table: filters of a list that are not in the order
// of their phases, two of one name, a list of connections or requests that has no
// end, a filter of connections that a route would have to enable, and metadata of
// RBAC that another filter writes or that is read before RBAC has written it.
func Check(table []Filter) error {
	for _, l := range lists(table) {
		filters := in(table, l)
		if err := checkOrder(l, filters); err != nil {
			return fmt.Errorf("%s filters of %s, %s: %w", l.Layer, l.Of, l.Direction, err)
		}
		for i, f := range filters {
			if err := checkMetadata(f, filters[:i+1]); err != nil {
				return fmt.Errorf("%s filters of %s, %s: %s: %w", l.Layer, l.Of, l.Direction, f.Name, err)
			}
		}
	}
	return nil
}

func lists(table []Filter) []List {
	var out []List
	for _, f := range table {
		for _, l := range f.Lists {
			if !slices.Contains(out, l) {
				out = append(out, l)
			}
		}
	}
	return out
}

func checkOrder(l List, filters []Filter) error {
	for i, f := range filters {
		switch {
		case i > 0 && f.Phase < filters[i-1].Phase:
			return fmt.Errorf("%s comes after %s, whose phase is a later one", f.Name, filters[i-1].Name)
		case slices.ContainsFunc(filters[:i], func(g Filter) bool { return g.Name == f.Name }):
			return fmt.Errorf("two are named %s", f.Name)
		case f.Config == nil:
			return fmt.Errorf("%s has no configuration", f.Name)
		case l.Layer != HTTP && (f.Presence == Off || f.Source == RDS):
			return fmt.Errorf("%s cannot be enabled or configured by a route", f.Name)
		case l.Layer != Listener && (f.Phase == Serve) != (i == len(filters)-1):
			return fmt.Errorf("%s is the end of the list, or its place, and not both", f.Name)
		}
	}
	return nil
}

// checkMetadata looks at a filter and at those up to it, itself included: RBAC of
// connections writes before it enforces.
func checkMetadata(f Filter, upTo []Filter) error {
	for _, w := range f.Writes {
		if isOfRBAC(w) && !isRBAC(f) {
			return fmt.Errorf("it may write %s, in which RBAC alone may", w.Namespace)
		}
	}
	for _, r := range f.Reads {
		writers := 0
		for _, g := range upTo {
			if slices.ContainsFunc(g.Writes, r.overlaps) {
				writers++
			}
		}
		if writers != 1 {
			return fmt.Errorf("it reads %s of %s, which %d filters have written", r.Key, r.Namespace, writers)
		}
	}
	return nil
}

// isOfRBAC is true of an empty namespace too, which is any.
func isOfRBAC(m Metadata) bool {
	return m.Namespace == "" || m.Namespace == RequestRBAC || m.Namespace == ConnectionRBAC
}

func isRBAC(f Filter) bool {
	switch f.Config.(type) {
	case *httprbacv3.RBAC, *networkrbacv3.RBAC:
		return true
	}
	return false
}
