// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// Common makes what every proxy has: the clusters of passthrough and of the
// inbound side, and the validation context with the workload roots (PEM). The
// outbound listener is Direct's.
func Common(roots []byte) ([]Resource, error) {
	if len(roots) == 0 {
		return nil, errNoRoots
	}
	var out collector
	out.add(passthroughCluster())
	out.add(applicationCluster(model.ProtocolTCP))
	out.add(applicationCluster(model.ProtocolHTTP1))
	out.add(applicationCluster(model.ProtocolHTTP2))
	out.add(applicationCluster(model.ProtocolDetect))
	out.add(rootsSecret(roots))
	return out.result("common resources")
}
