// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package filters

import "strings"

// Namespaces in which RBAC filters write the result of their shadow rules ("Dynamic
// Metadata" in Envoy's pages about either filter). A port that is closed decides by
// it, so nothing but RBAC may write there.
const (
	RequestRBAC    = "envoy.filters.http.rbac"
	ConnectionRBAC = "envoy.filters.network.rbac"
)

// AdmittedRequest and AdmittedConnection are where closed ports read that a rule has
// admitted a call.
var (
	AdmittedRequest    = Metadata{RequestRBAC, Admitted + "shadow_engine_result"}
	AdmittedConnection = Metadata{ConnectionRBAC, Admitted + "shadow_engine_result"}
)

// Metadata is a part of the dynamic metadata of a connection or request: of a
// namespace the keys that begin with Key.
type Metadata struct{ Namespace, Key string }

// overlaps is true if some key is in both.
func (m Metadata) overlaps(n Metadata) bool {
	return m.Namespace == n.Namespace && (strings.HasPrefix(m.Key, n.Key) || strings.HasPrefix(n.Key, m.Key))
}
