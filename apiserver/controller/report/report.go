// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package report is what compilation says of an object of our own kinds: whether it
// acts as it is written, and what carries it out. Status is made of it, and of what
// proxies answer.
package report

import (
	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
)

// Reasons that kinds share, of the conditions Accepted and ResolvedRefs.
const (
	ReasonAccepted          = "Accepted"
	ReasonInvalid           = "Invalid"
	ReasonTargetNotFound    = "TargetNotFound"
	ReasonReferenceNotFound = "ReferenceNotFound"
	ReasonResolvedRefs      = "ResolvedRefs"
)

// Report is about one generation of one object.
type Report struct {
	UID        types.UID
	Generation int64
	// Accepted is true if the object can be compiled.
	Accepted Verdict
	// ResolvedRefs is true if all that the object names is there. It is nil for a kind
	// that names nothing, or that tells of it by Accepted.
	ResolvedRefs *Verdict
	// Own are conditions of the kind's own. One that is not here is taken away.
	Own []Condition
	// Units are those whose resources carry the object out, each once.
	Units []unit.ID
	// Anywhere is true if who reads the object may know the names of proxies of every
	// namespace, and not of the object's own alone.
	Anywhere bool
}

// Verdict is a condition that every kind has under the same name.
type Verdict struct {
	True bool
	// Reason is one CamelCase word, for programs.
	Reason string
	// Message is for people. It is cut at 2048 bytes.
	Message string
}

// Condition is one that a single kind has.
type Condition struct {
	Type string
	Verdict
}
