// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// admission is how many of the callers without an identity a TCP port admits.
// Of them nothing is known but the address.
type admission int

const (
	admitsNone admission = iota
	// admitsSome goes by the caller's address.
	admitsSome
	admitsAll
)

func anonymousAdmission(a model.Access) admission {
	t := anonymousAccessOf(a)
	for _, c := range t.deny {
		if c.block == "" {
			return admitsNone
		}
	}
	everybody := !t.closed
	for _, c := range t.allow {
		everybody = everybody || c.block == ""
	}
	switch {
	case everybody && len(t.deny) == 0:
		return admitsAll
	case everybody || len(t.allow) > 0:
		return admitsSome
	default:
		return admitsNone
	}
}
