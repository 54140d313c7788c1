// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package intent is what API kinds say of the mesh, in one vocabulary: whatever
// kind an intent comes from, it means the same. Each kind's folder in
// controller/kinds translates its objects; compile reads intents alone.
//
// An intent says what an object says, and no more: the trust domain, and whether
// what it names exists, are compile's to know. It never changes once it is made.
package intent

import "k8s.io/apimachinery/pkg/types"

// Origin is the object that an intent comes from. Its Reference tells it from every
// other of its sort.
type Origin struct {
	Reference
	UID types.UID
	// Generation of the object's spec.
	Generation int64
}
