// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world

// index files values under keys; a value may be filed under many keys.
type index[K, V comparable] map[K]map[V]struct{}

func (x index[K, V]) add(key K, value V) {
	values, ok := x[key]
	if !ok {
		values = map[V]struct{}{}
		x[key] = values
	}
	values[value] = struct{}{}
}

func (x index[K, V]) remove(key K, value V) {
	delete(x[key], value)
	if len(x[key]) == 0 {
		delete(x, key)
	}
}
