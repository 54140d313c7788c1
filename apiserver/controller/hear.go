// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/workload"
)

// hear takes in what another server has recorded of a view, nil for nothing.
func (s *state) hear(view string, other envoy.Generations) {
	if other == nil {
		s.Hear(workload.ID(view), nil)
		return
	}
	s.Hear(workload.ID(view), other)
}
